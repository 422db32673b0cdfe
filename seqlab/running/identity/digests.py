"""What is the digest of each source among a set of files that a trial uses?

It is the file's own code, and what the others of the set add to it: the unused imports that they ask it for,
its docstrings or its text where one of them reads these, and the order of those imports that act on more than
their own names.
"""

from collections.abc import Iterable, Mapping

from seqlab.running.identity.asks import ANY, ATTRIBUTES, EVERYTHING, Ask
from seqlab.running.identity.files import VERSION, Files
from seqlab.running.identity.project import stem_of
from seqlab.running.identity.source import KEPT_BY_NAME, Source, digest


def source_digests(files: Files, names: Iterable[str], *, page: str) -> dict[str, str]:
    """The digest of each of these sources; absent files are left out. `page` is the page's name."""
    found = {name: files.source(name, is_page=name == page) for name in names}
    sources = {name: source for name, source in found.items() if source is not None}
    asked = asked_names(files, sources, page=page)
    docstrings = _read_of(sources, {name: one.reads_docstrings for name, one in sources.items()})
    texts = _read_of(sources, {name: one.reads_text for name, one in sources.items()})
    digests = {}
    for name, source in sources.items():
        parts = [VERSION, source.code]
        parts += [source.spare[spared][0] for spared in sorted(asked[name])]
        acting = (file for file, _, acts in files.imports(name, is_page=name == page) if acts)
        parts += ["in this order", *dict.fromkeys(acting)]
        parts += [source.docstrings] if name in docstrings else []
        parts += [source.text] if name in texts else []
        digests[name] = digest("\n".join(parts))
    return digests


def asked_names(files: Files, sources: Mapping[str, Source], *, page: str) -> dict[str, set[str]]:
    """For each file, those of its spare names that others ask it for, directly or through one another."""
    found: dict[str, set[str]] = {name: set() for name in sources}
    spared = {name: source for name, source in sources.items() if source.spare}
    asks: dict[str, set[str]] = {}

    def add(importer: str, wanted: Iterable[Ask]) -> None:
        for module, name in wanted:
            asks.setdefault(files.target(importer, module), set()).add(name)

    for name in sources if spared else ():
        for target, wanted in files.asks(name, is_page=name == page).items():
            asks.setdefault(target, set()).update(wanted)
    words = set[str]()
    fresh = bool(spared)
    while fresh:
        fresh = False
        for name, source in spared.items():
            asked = set[str]().union(*(asks.get(key, ()) for key in (name, stem_of(name), ANY)))
            if ATTRIBUTES in asked:
                words = words or {word for other in sources.values() for word in other.words}
                asked |= words.difference(KEPT_BY_NAME, ["seqlab"])  # nobody reads `lstm.seqlab`
            spare = source.spare.keys() - found[name]
            new = {one for one in spare if EVERYTHING in asked or one.partition(".")[0] in asked}
            for one in new:
                add(name, source.spare[one][1])
            found[name] |= new
            fresh |= bool(new)
    return found


def _read_of(sources: Mapping[str, Source], reads: Mapping[str, Iterable[str]]) -> set[str]:
    """The files whose docstrings or text are read."""
    found = set[str]()
    for reader, stems in reads.items():
        for stem in stems:
            found |= {
                name for name in sources if stem in (ANY, stem_of(name)) or (not stem and name == reader)
            }
    return found
