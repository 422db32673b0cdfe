"""How do the artifacts of a page become parts of its chapter: texts, images and attached files?"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from seqlab.analysis.artifacts import SelectedArtifact, select_artifacts
from seqlab.analysis.findings import PageFindings, Shown
from seqlab.charts.draw import draw_image_grid
from seqlab.charts.run_panels import RunPanels
from seqlab.charts.words import level_name
from seqlab.document.content import File, Files, Image, Passages, Text
from seqlab.document.origins import with_place
from seqlab.notebook.artifacts import file_name, panels_of, text_of
from seqlab.notebook.experiment import PART
from seqlab.notebook.figures import ArtifactFigure, Attachment, ImageGrid, Level, TextSamples
from seqlab.store.database import Store

LONGEST_TEXT = 40_000  # characters of a text that the report shows: some ten pages


def passages(figure: TextSamples, page: PageFindings, store: Store) -> Passages:
    """The texts of a figure, each under its levels."""
    chosen, shown = _select(page, figure, store)
    texts = tuple(Text(_levels(one.levels), _shortened(text_of(one.artifact))) for one in chosen)
    return Passages(figure.caption, texts, with_place(_seed_note(page, chosen), shown))


def _shortened(text: str) -> str:
    """The beginning of a text that would take minutes to set, and how much is left out."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}\n[… {len(text) - LONGEST_TEXT:,} further characters are in the results.]"


def image_grids(
    figure: ImageGrid, page: PageFindings, store: Store, *, folder: Path, name: str
) -> list[Image]:
    """The figure's image grid, drawn into `folder` as one image or, if it is too long, as several."""
    chosen, shown = _select(page, figure, store)
    rows = [RunPanels(_levels(one.levels), panels_of(one.artifact)) for one in chosen]
    drawn = draw_image_grid(rows, folder, name)
    parts = [f" Part {n} of {len(drawn)}." if len(drawn) > 1 else "" for n in range(1, len(drawn) + 1)]
    return [
        Image(path, figure.caption + part, alt, with_place(_seed_note(page, chosen), shown))
        for (path, alt), part in zip(drawn, parts, strict=True)
    ]


def attached_files(page: PageFindings, store: Store) -> list[Files]:
    """The files of each figure of attachments, in the page's order, under unique names."""
    taken: dict[str, int] = {}
    found = []
    for figure in page.experiment.figures:
        if isinstance(figure, Attachment):
            chosen, shown = _select(page, figure, store)
            files = tuple(
                File(
                    _name(page.experiment.name, one, taken),
                    one.artifact.data,
                    with_place(_maker(page, one), shown),
                )
                for one in chosen
            )
            found.append(Files(figure.caption, files))
    return found


def contents(pages: Iterable[PageFindings], store: Store) -> dict[str, dict[str, bytes]]:
    """The attached files of each page: their names and contents."""
    return {
        page.experiment.name: {
            one.name: one.data for files in attached_files(page, store) for one in files.files
        }
        for page in pages
    }


def _select(
    page: PageFindings, figure: ArtifactFigure, store: Store
) -> tuple[tuple[SelectedArtifact, ...], Shown]:
    """The artifacts of the figure, and where they come from: made here, in `store`, or the reference."""
    shown = page.shown(figure.where)
    return select_artifacts(shown.evidence, figure, shown.store or store), shown


def _name(experiment: str, one: SelectedArtifact, taken: dict[str, int]) -> str:
    """The file's name, numbered if runs that the figure does not distinguish would share it."""
    levels, number = [str(level) for level in one.levels.values()], 1
    name = file_name(one.artifact, experiment, *levels)
    while taken.setdefault(name.casefold(), one.run) != one.run:
        number += 1
        name = file_name(one.artifact, experiment, *levels, str(number))
    return name


def _levels(levels: Mapping[str, Level]) -> str:
    return ", ".join(level_name(name, level) for name, level in levels.items())


def _maker(page: PageFindings, one: SelectedArtifact) -> str:
    """The run that made it: its factors and, unless it is deterministic, its seed."""
    levels = _levels({name: level for name, level in one.factors.items() if name != PART})
    seed = "" if _is_deterministic(page, one) else f"seed {one.seed}"
    return ", ".join(part for part in (levels, seed) if part) or "the page's one run"


def _seed_note(page: PageFindings, chosen: Sequence[SelectedArtifact]) -> str:
    """The seeds of the artifacts, for a caption."""
    seeds = {one.seed for one in chosen if not _is_deterministic(page, one)}
    if not seeds:
        return "deterministic" if chosen else "no valid run yet"
    return f"seed {min(seeds)}" if len(seeds) == 1 else "the first good seed of each"


def _is_deterministic(page: PageFindings, one: SelectedArtifact) -> bool:
    points = [point for budget in page.experiment.budgets for point in budget.points]
    same = [point.seeds is None for point in points if dict(point.factors) == dict(one.factors)]
    return bool(same) and all(same)
