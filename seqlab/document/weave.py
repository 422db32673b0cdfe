"""How does a report become files? `report.qmd`, an include for each chapter, and the looks beside them.

Everything is rendered in memory first, so that a mistake in a template leaves an older report whole;
then each file replaces its predecessor at once, `report.qmd` last. Only files whose names this module
gives are ever removed: chapters of pages that are gone, and figures that no chapter shows any more.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seqlab.document.blocks import slug
from seqlab.document.content import Chapter, Files, Passages, Picture, Report
from seqlab.document.tally import tally
from seqlab.document.templates import environment, render
from seqlab.errors import RenderError, UsageError, unknown
from seqlab.notebook.claims import Outcome, Verdict
from seqlab.notebook.ledger import KINDS, Entry

LOOKS = ("_quarto.yml", "references.bib")
FIGURES = "figures"


@dataclass(frozen=True)
class Finding:
    """A verdict with its quote and the label of its section."""

    verdict: Verdict
    entry: Entry
    label: str

    def cells(self, decision: str) -> int:
        """How many cells pass, fail or stay open."""
        return sum(cell.decision == decision for cell in self.verdict.cells)


@dataclass(frozen=True)
class Shown:
    """A figure with its label; a picture has a path within the folder."""

    figure: Picture | Passages | Files
    label: str
    path: str = ""

    @property
    def kind(self) -> str:
        """`picture`, `passages` or `files`."""
        return type(self.figure).__name__.lower()


@dataclass(frozen=True)
class Page:
    """A chapter with all its labels given."""

    chapter: Chapter
    key: str
    findings: tuple[Finding, ...]
    shown: tuple[Shown, ...]

    @property
    def pictures(self) -> tuple[tuple[Picture, str], ...]:
        """Those with a file, each with its path within the folder."""
        return tuple((shown.figure, shown.path) for shown in self.shown if isinstance(shown.figure, Picture))

    @property
    def file(self) -> str:
        """The include's file name."""
        return f"_chapter-{self.key}.qmd"


def _keys(names: Iterable[str]) -> list[str]:
    """A distinct label part for each name, also where two names differ in punctuation only."""
    keys: list[str] = []
    for name in names:
        key, number = slug(name), 2
        while key in keys:
            key, number = f"{slug(name)}-{number}", number + 1
        keys.append(key)
    return keys


def _page(chapter: Chapter, key: str, report: Report, folder: Path) -> Page:
    findings = []
    claims = _keys(verdict.claim for verdict in chapter.verdicts)
    for verdict, claim in zip(chapter.verdicts, claims, strict=True):
        if verdict.claim not in report.ledger:
            raise UsageError(f"page {chapter.name!r}: {unknown('claim', verdict.claim, report.ledger)}")
        findings.append(Finding(verdict, report.ledger[verdict.claim], f"sec-{key}-{claim}"))
    return Page(chapter, key, tuple(findings), tuple(_labelled(chapter, key, folder)))


def _labelled(chapter: Chapter, key: str, folder: Path) -> Iterator[Shown]:
    """What the chapter shows, numbered; files are named in a sentence and have no number."""
    number = 0
    for figure in chapter.figures:
        number += not isinstance(figure, Files)
        match figure:
            case Picture():
                yield Shown(figure, f"fig-{key}-{number}", _inside(figure.path, folder).as_posix())
            case Passages():
                yield Shown(figure, f"fig-{key}-{number}-passage")  # the theme knows texts by their label
            case Files():
                yield Shown(figure, "")


def _inside(path: Path, folder: Path) -> Path:
    """Where a figure lies, or will lie, relative to the folder."""
    if not path.is_absolute():
        return path
    return path.relative_to(folder) if path.is_relative_to(folder) else Path(FIGURES) / path.name


def _write(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _copy_looks(words: Path, folder: Path) -> None:
    for name in LOOKS:
        if not (words / name).is_file():
            raise RenderError(f"expected {words / name}, found no such file. Restore it.")
        shutil.copyfile(words / name, folder / name)
    shutil.rmtree(folder / "theme", ignore_errors=True)
    if (words / "theme").is_dir():
        shutil.copytree(words / "theme", folder / "theme")


def _clean(folder: Path, pages: list[Page]) -> None:
    """Remove chapters and figures of earlier reports."""
    chapters = {page.file for page in pages}
    figures = {path for page in pages for _, path in page.pictures}
    for path in folder.glob("_chapter-*.qmd"):
        if path.name not in chapters:
            path.unlink()
    for path in (folder / FIGURES).glob("*.svg"):
        if path.relative_to(folder).as_posix() not in figures:
            path.unlink()


def weave(report: Report, *, words: Path, folder: Path) -> Path:
    """Write the whole document into `folder` and return the path of its `report.qmd`.

    `words` is the repository's `report/` folder. Raises `RenderError` for templates at fault or
    missing figures and `UsageError` for a verdict on a claim that the ledger lacks; then nothing
    that lay in `folder` has changed.
    """
    folder = folder.absolute()
    jinja = environment(words)
    keys = _keys(chapter.name for chapter in report.chapters)
    pages = [_page(chapter, key, report, folder) for chapter, key in zip(report.chapters, keys, strict=True)]
    common = {
        "report": report,
        "pages": pages,
        "tally": tally(report),
        "outcomes": list(Outcome),
        "kinds": KINDS,
        "trials": sum(chapter.trials for chapter in report.chapters),
        "seconds": sum(chapter.seconds for chapter in report.chapters),
    }
    texts = {page.file: render(jinja, "chapter.qmd", page=page, **common) for page in pages}
    front = render(jinja, "index.qmd", **common)
    for page in pages:
        for picture, _ in page.pictures:
            source = picture.path if picture.path.is_absolute() else folder / picture.path
            if not source.is_file():
                raise RenderError(
                    f"expected the figure {source}, found no such file. Draw it before weaving."
                )

    folder.mkdir(parents=True, exist_ok=True)
    _copy_looks(words, folder)
    for page in pages:
        for picture, path in page.pictures:
            target = folder / path
            if picture.path.is_absolute() and picture.path != target:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(picture.path, target)
    for name, text in texts.items():
        _write(folder / name, text)
    _write(folder / "report.qmd", front)
    _clean(folder, pages)
    return folder / "report.qmd"
