"""Which code will a trial of this page use, as far as its imports tell before it has run?

The walk goes from the page through every import that is used or that acts, with the packages on the way, to
Seqlab's modules and to the project's own. What a trial really used is recorded when it runs
(`seqlab.running.identity`), and from then on that decides whether it is due. The fingerprint, a hash of all
the code found, stands for it until then: in runs that ended before anything was recorded, and for training
states.
"""

from dataclasses import dataclass, field
from pathlib import Path

from seqlab.running.identity.digests import asked_names, source_digests
from seqlab.running.identity.files import Files, Known
from seqlab.running.identity.project import RUNS_A_TRIAL, Project
from seqlab.running.identity.source import Source, digest
from seqlab.store.workspace import PACKAGE

# Every trial uses them, whatever its page imports.
ALWAYS = (
    *RUNS_A_TRIAL,
    *(f"seqlab/notebook/{name}.py" for name in ("__init__", "artifacts", "experiment", "metrics")),
    *(f"seqlab/machine/{name}.py" for name in ("__init__", "device", "seeding")),
)

KNOWN_FILE = ".fingerprints.json"  # in the results folder


@dataclass
class Fingerprints:
    """Fingerprints of pages. Summaries of sources are kept in `file`, so known code is not parsed again."""

    file: Path | None = None
    package: Path = PACKAGE
    known: Known = field(init=False)

    def __post_init__(self) -> None:
        self.known = Known(self.file)

    def of(self, page: Path, files: Files | None = None) -> str:
        """The fingerprint of a page (16 hex digits). `files` may have been read before."""
        files = files or self.files(page)
        name = files.project.name(page.absolute())
        if files.source(name, is_page=True) is None:
            raise FileNotFoundError(page)
        found = source_digests(files, reached(files, name), page=name)
        return digest("\n".join(f"{'' if file == name else file} {found[file]}" for file in sorted(found)))

    def files(self, page: Path) -> Files:
        """The files of the page's project, to be read now."""
        return Files(Project.of(page, self.package), self.known)

    def keep(self) -> None:
        """Write the summaries to the file, if there are new ones."""
        self.known.keep()


def reached(files: Files, page: str, *, unused: bool = False) -> set[str]:
    """The files that the page's imports reach and those of every trial; `unused` imports too, or not."""
    sources: dict[str, Source] = {}
    new = {page, *ALWAYS}
    while new:
        found = {name: files.source(name, is_page=name == page) for name in new}
        sources |= {name: source for name, source in found.items() if source is not None}
        asked = asked_names(files, sources, page=page)
        new = {
            file
            for name, source in sources.items()
            if name not in RUNS_A_TRIAL  # what they import beside, they do not compute with
            for file, binding, acts in files.imports(name, is_page=name == page)
            if unused or acts or binding not in source.spare or binding in asked[name]
        } - sources.keys()
    return set(sources)
