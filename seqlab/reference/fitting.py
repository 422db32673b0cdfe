"""What of the runs fits into the reference: which artifacts, and which curves if it would be too large?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from seqlab.notebook.experiment import Experiment
from seqlab.notebook.figures import ArtifactFigure, Curve
from seqlab.reference.entry import Entry, Series
from seqlab.reference.folder import MOST_BYTES, Written, written
from seqlab.reference.manifest import Manifest


def with_first_artifacts(page: Experiment, entries: Sequence[Entry]) -> list[Entry]:
    """The same runs, with artifacts at the first good seed of each point alone: no figure shows others."""
    first: dict[object, int] = {}
    for entry in entries:
        if entry.status == "ok":
            point = entry.trial[:2], entry.machine
            first[point] = min(entry.seed, first.get(point, entry.seed))
    names = shown_artifacts(page)
    return [
        replace(
            entry,
            artifacts=tuple(one for one in entry.artifacts if one.name in names)
            if first.get((entry.trial[:2], entry.machine)) == entry.seed
            else (),
        )
        for entry in entries
    ]


def fitting(
    pages: dict[str, list[Entry]], before: Manifest, known: Mapping[str, Experiment]
) -> tuple[Written, list[str]]:
    """The files, with as much as fits, and lines on what is left out."""
    told, files = list[str](), written(pages, before)
    heavy = {
        page: sum(len(one.data) for entry in entries for one in entry.artifacts)
        for page, entries in pages.items()
    }
    for page in sorted((page for page, size in heavy.items() if size), key=lambda page: -heavy[page]):
        if files.bytes <= MOST_BYTES:
            return files, told
        pages[page] = [replace(entry, artifacts=()) for entry in pages[page]]
        told.append(f"{page}: its artifacts are left out, since the reference would exceed {_most()}.")
        files = written(pages, before)
    for page in sorted(pages, key=lambda page: -len(files.texts[f"{page}.jsonl"])):
        if files.bytes <= MOST_BYTES:
            break
        curves = _drawn_curves(known.get(page))
        pages[page] = [replace(entry, series=_without_curves(entry.series, curves)) for entry in pages[page]]
        told.append(
            f"{page}: of what it measured on training data only the last value is kept, since the reference "
            f"would exceed {_most()}."
        )
        files = written(pages, before)
    return files, told


def _most() -> str:
    return f"{MOST_BYTES / 1e6:g} MB"


def _drawn_curves(page: Experiment | None) -> set[str]:
    """The metrics that a figure of the page shows over training steps."""
    return {
        figure.y
        for figure in (page.figures if page else ())
        if isinstance(figure, Curve) and figure.x == "step"
    }


def _without_curves(series: Mapping[tuple[str, str], Series], but: set[str]) -> dict[tuple[str, str], Series]:
    return {
        (metric, split): points[-1:] if split == "train" and metric not in but else points
        for (metric, split), points in series.items()
    }


def shown_artifacts(page: Experiment) -> set[str]:
    """The names of the artifacts that the page's figures show."""
    return {figure.artifact for figure in page.figures if isinstance(figure, ArtifactFigure)}
