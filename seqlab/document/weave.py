"""How does a report become files? `report.qmd`, an include for each chapter, and the looks beside them.

Everything is rendered in memory first, so that a mistake in a template leaves an older report whole;
then each file replaces its predecessor at once, `report.qmd` last. Only files whose names this module
gives are ever removed: chapters of pages that are gone, and figures that no chapter shows any more.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seqlab.claims import Outcome, Verdict
from seqlab.document.blocks import slug
from seqlab.document.content import Chapter, Picture, Report
from seqlab.document.tally import tally
from seqlab.document.templates import environment, render
from seqlab.errors import RenderError, UsageError, unknown
from seqlab.ledger import KINDS, Entry

LOOKS = ("_quarto.yml", "references.bib")
FIGURES = "figures"


@dataclass(frozen=True)
class Finding:
    """A verdict with its quote and the label of its section."""

    verdict: Verdict
    entry: Entry
    label: str

    def cells(self, standing: str) -> int:
        """How many cells pass, fail or stay open."""
        return sum(cell.standing == standing for cell in self.verdict.cells)


@dataclass(frozen=True)
class Shown:
    """A picture with its label and its path within the folder."""

    picture: Picture
    label: str
    path: str


@dataclass(frozen=True)
class Page:
    """A chapter with all its labels given."""

    chapter: Chapter
    key: str
    findings: tuple[Finding, ...]
    shown: tuple[Shown, ...]

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
    shown = tuple(
        Shown(picture, f"fig-{key}-{number}", _inside(picture.path, folder).as_posix())
        for number, picture in enumerate(chapter.pictures, start=1)
    )
    return Page(chapter, key, tuple(findings), shown)


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
    figures = {shown.path for page in pages for shown in page.shown}
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
        for shown in page.shown:
            source = shown.picture.path if shown.picture.path.is_absolute() else folder / shown.picture.path
            if not source.is_file():
                raise RenderError(
                    f"expected the figure {source}, found no such file. Draw it before weaving."
                )

    folder.mkdir(parents=True, exist_ok=True)
    _copy_looks(words, folder)
    for page in pages:
        for shown in page.shown:
            target = folder / shown.path
            if shown.picture.path.is_absolute() and shown.picture.path != target:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(shown.picture.path, target)
    for name, text in texts.items():
        _write(folder / name, text)
    _write(folder / "report.qmd", front)
    _clean(folder, pages)
    return folder / "report.qmd"
