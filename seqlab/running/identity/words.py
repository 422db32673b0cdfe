"""How is the state of what a trial used written down? A word for the kind, then a hash."""

CODE, BYTES, NAMES = "code ", "bytes ", "names "  # a source's digest; a file's bytes; the names in a folder
ABSENT = "absent"  # the trial looked for the file, and it was not there
DOUBTFUL = "changed while it ran"  # so that it is not known what the trial used: it is due again
