"""How does a report become files? `report.qmd`, an include for each chapter, and the theme.

Everything is rendered in memory first, so that an error in a template leaves an older report unchanged; then
each file is replaced atomically, `report.qmd` last. Only files whose names this module gives are ever
removed: chapters of removed pages, and figures that no chapter contains any more.
"""

import re
import shutil
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.analysis.combined import Combined, combine
from seqlab.document.blocks import slug
from seqlab.document.claim_counts import count_claims
from seqlab.document.content import Chapter, Files, Image, Passages, Report
from seqlab.document.open_questions import open_claims, within_an_hour
from seqlab.document.templates import environment, render
from seqlab.document.text_lines import missing_glyphs
from seqlab.errors import RenderError, UsageError, unknown
from seqlab.notebook.claims import Outcome, Verdict
from seqlab.notebook.ledger import Entry

COPIED_FILES = ("_quarto.yml", "references.bib")
_REFERENCE = re.compile(r"@(fig-[\w-]+)")
FIGURES = "figures"


@dataclass(frozen=True)
class Finding:
    """A verdict with its claim, the label of the claim's section, and its chapter."""

    verdict: Verdict
    entry: Entry
    label: str

    def cells(self, decision: str) -> int:
        """The number of cells with this decision: pass, fail or open."""
        return sum(cell.decision == decision for cell in self.verdict.cells)


@dataclass(frozen=True)
class ClaimSection:
    """A claim with all that was found of it; `strip` is the path of its picture within the folder."""

    entry: Entry
    combined: Combined
    label: str
    findings: tuple[Finding, ...]
    strip: str = ""
    alt: str = ""
    part: int = 0  # the number of its part, from 1

    @property
    def outcome(self) -> Outcome:
        """What all pages together say."""
        return self.combined.outcome


@dataclass(frozen=True)
class LabelledFigure:
    """A figure with its label; an image has a path within the folder.

    One that is `empty` is told in a line, unless some text refers to it.
    """

    figure: Image | Passages | Files
    label: str
    path: str = ""
    empty: bool = False

    @property
    def kind(self) -> str:
        """`image`, `passages` or `files`."""
        return type(self.figure).__name__.lower()


@dataclass(frozen=True)
class Page:
    """A chapter with all its labels."""

    chapter: Chapter
    key: str
    findings: tuple[Finding, ...]
    figures: tuple[LabelledFigure, ...]
    title: str  # short; the chapter's own is its question

    @property
    def claims(self) -> tuple[tuple[Finding, Combined], ...]:
        """For each claim that the page tests a finding, and what all of the page's rules say together."""
        found: dict[str, list[Finding]] = {}
        for finding in self.findings:
            found.setdefault(finding.entry.id, []).append(finding)
        return tuple((each[0], combine(one.verdict for one in each)) for each in found.values())

    @property
    def images(self) -> tuple[tuple[Image, str], ...]:
        """The images that are shown, each with its path within the folder."""
        return tuple(
            (shown.figure, shown.path)
            for shown in self.figures
            if isinstance(shown.figure, Image) and not shown.empty
        )

    @property
    def file(self) -> str:
        """The include's file name."""
        return f"_chapter-{self.key}.qmd"


def label_keys(names: Iterable[str]) -> list[str]:
    """A unique label part for each name, even if two names differ only in punctuation."""
    keys: list[str] = []
    for name in names:
        key, number = slug(name), 2
        while key in keys:
            key, number = f"{slug(name)}-{number}", number + 1
        keys.append(key)
    return keys


def _page(
    chapter: Chapter, key: str, report: Report, folder: Path, title: str, cited: Container[str]
) -> Page:
    findings = []
    for verdict in chapter.verdicts:
        if verdict.claim not in report.ledger:
            raise UsageError(f"page {chapter.name!r}: {unknown('claim', verdict.claim, report.ledger)}")
        entry = report.ledger[verdict.claim]
        findings.append(Finding(verdict, entry, f"sec-{slug(verdict.claim)}"))
    figures = tuple(_labelled(chapter, key, folder, cited))
    return Page(chapter, key, tuple(findings), figures, title or chapter.title)


def _sections(report: Report, pages: Sequence[Page], folder: Path) -> dict[str, ClaimSection]:
    """A section for each claim of the ledger, by id, in its order."""
    parts = report.outline.complete(tuple(report.ledger), [page.chapter.name for page in pages])
    numbers = {claim: number for number, part in enumerate(parts, start=1) for claim in part.claims}
    sections = {}
    for claim, entry in report.ledger.items():
        findings = tuple(each for page in pages for each in page.findings if each.entry.id == claim)
        strip = report.pictures.strips.get(claim)
        sections[claim] = ClaimSection(
            entry,
            report.claims[claim],
            f"sec-{slug(claim)}",
            findings,
            _inside(strip.path, folder).as_posix() if strip else "",
            strip.alt if strip else "",
            numbers.get(claim, 0),
        )
    return sections


def _labelled(chapter: Chapter, key: str, folder: Path, cited: Container[str]) -> Iterator[LabelledFigure]:
    """The chapter's figures with their labels; attached files are listed in the text and have none."""
    number = 0
    for figure in chapter.figures:
        number += not isinstance(figure, Files)
        label, path = f"fig-{key}-{number}", ""
        match figure:
            case Image():
                path = _inside(figure.path, folder).as_posix()
            case Passages():
                label += "-passage"  # the theme knows texts by their label
            case Files():
                label = ""
        yield LabelledFigure(figure, label, path, empty=figure.empty and label not in cited)


def _cited(report: Report) -> frozenset[str]:
    """The labels to which the chapters' own texts refer."""
    texts = [text for chapter in report.chapters for text in chapter.texts]
    return frozenset(label for text in texts for label in _REFERENCE.findall(text))


def _inside(path: Path, folder: Path) -> Path:
    """The path of a figure relative to the folder, where it is or will be copied."""
    if not path.is_absolute():
        return path
    return path.relative_to(folder) if path.is_relative_to(folder) else Path(FIGURES) / path.name


def _write(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _copy_theme(sources: Path, folder: Path) -> None:
    for name in COPIED_FILES:
        if not (sources / name).is_file():
            raise RenderError(f"expected {sources / name}, found no such file. Restore it.")
        shutil.copyfile(sources / name, folder / name)
    shutil.rmtree(folder / "theme", ignore_errors=True)
    if (sources / "theme").is_dir():
        shutil.copytree(sources / "theme", folder / "theme")


def _clean(folder: Path, pages: list[Page], figures: set[str]) -> None:
    """Remove chapters and figures that belong only to earlier reports."""
    chapters = {page.file for page in pages}
    for path in folder.glob("_chapter-*.qmd"):
        if path.name not in chapters:
            path.unlink()
    for path in (folder / FIGURES).glob("*.svg"):
        if path.relative_to(folder).as_posix() not in figures:
            path.unlink()


def weave(report: Report, *, sources: Path, folder: Path) -> Path:
    """Write the whole document into `folder` and return the path of its `report.qmd`.

    `sources` is the repository's `report/` folder. Raises `RenderError` for errors in templates and missing
    figures, and `UsageError` for a verdict on a claim that is not in the ledger; `folder` is then unchanged.
    """
    folder = folder.absolute()
    jinja = environment(sources)
    keys = label_keys(chapter.name for chapter in report.chapters)
    names = [chapter.name for chapter in report.chapters]
    parts = report.outline.complete(tuple(report.ledger), names)
    titles = {page: title for part in parts for page, title in part.chapters.items()}
    cited = _cited(report)
    pages = [
        _page(chapter, key, report, folder, titles.get(chapter.name, ""), cited)
        for chapter, key in zip(report.chapters, keys, strict=True)
    ]
    by_name = {page.chapter.name: page for page in pages}
    open_now = open_claims(report)
    common = {
        "report": report,
        "pages": pages,
        "parts": [(part, [by_name[name] for name in part.chapters]) for part in parts],
        "claims": _sections(report, pages, folder),
        "titles": {page.chapter.name: page.title for page in pages},
        "counts": count_claims(report),
        "open_claims": open_now,
        "within_an_hour": within_an_hour(open_now),
        "pictures": [
            (image, _inside(image.path, folder).as_posix()) if image else None
            for image in (report.pictures.chain, report.pictures.forest)
        ],
        "outcomes": list(Outcome),
        "trials": sum(chapter.trials for chapter in report.chapters),
        "seconds": sum(chapter.seconds for chapter in report.chapters),
    }
    texts = {page.file: render(jinja, "chapter.qmd", page=page, **common) for page in pages}
    common["missing_glyphs"] = ""
    front = render(jinja, "index.qmd", **common)
    if missing := missing_glyphs(front, *texts.values()):
        common["missing_glyphs"] = " ".join(str(ord(letter)) for letter in missing)
        front = render(jinja, "index.qmd", **common)
    images = [
        *(shown for page in pages for shown in page.images),
        *((image, _inside(image.path, folder).as_posix()) for image in report.pictures.images),
    ]
    for image, _ in images:
        source = image.path if image.path.is_absolute() else folder / image.path
        if not source.is_file():
            raise RenderError(f"expected the figure {source}, found no such file. Draw it first.")

    folder.mkdir(parents=True, exist_ok=True)
    _copy_theme(sources, folder)
    for image, path in images:
        target = folder / path
        if image.path.is_absolute() and image.path != target:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image.path, target)
    for name, text in texts.items():
        _write(folder / name, text)
    _write(folder / "report.qmd", front)
    _clean(folder, pages, {path for _, path in images})
    return folder / "report.qmd"
