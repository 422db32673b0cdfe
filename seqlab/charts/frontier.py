"""Where does the fastest network change? Maps of length against width, a panel for each batch.

The colour is that of the network that is predicted to be the fastest, paler where that is less sure; a line
runs where two are equally fast. Marks are measured cells, in the colour and with the marker of the fastest:
hollow where its lead is within the noise. A cross is a cell that was left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from seqlab.analysis.atlas.cells import Cell, Measured, Task
from seqlab.analysis.atlas.predictor import Predictor
from seqlab.charts.colours import INK, MUTED, PAPER
from seqlab.charts.labels import write_title
from seqlab.charts.legend import draw_legend, legend_rows
from seqlab.charts.panels import label_margin, lay_out, panel_grid
from seqlab.charts.series_styles import SeriesStyle, series_styles
from seqlab.charts.style import LINE, SMALL, theme
from seqlab.charts.svg import svg
from seqlab.charts.units import number
from seqlab.charts.words import level_name
from seqlab.notebook.figures import Level

TITLES: dict[Task, str] = {
    "train": "Which network takes the least time for a training step?",
    "decode": "Which network takes the least time for one more token?",
}
LENGTHS: dict[Task, str] = {"train": "Tokens of a sequence", "decode": "Tokens of context"}
_FINE = 6  # places an octave; lines between them are straight
_HEIGHT = 1.7  # inches
_PALE, _FULL = 0.12, 0.5  # opacity where the fastest is a guess among all, and where it is sure
_PNG_DPI = 200


@dataclass(frozen=True)
class Frontier:
    """The measured cells of one task on one device, what predicts the others, and the cells left out."""

    task: Task
    device: str
    found: Sequence[Measured]
    predictor: Predictor
    skipped: Sequence[Cell] = ()


def draw_frontier(frontier: Frontier, path: Path) -> list[Path]:
    """Write the maps as SVG and PNG beside each other; `path` has no suffix. Returns both paths."""
    with theme():
        figure = plot(frontier)
        drawn, picture = path.with_suffix(".svg"), path.with_suffix(".png")
        drawn.write_text(svg(figure), encoding="utf-8")
        figure.savefig(picture, dpi=_PNG_DPI, facecolor="#ffffff")
    return [drawn, picture]


def plot(frontier: Frontier) -> Figure:
    """The maps as a matplotlib figure. Call within `style.theme()`."""
    cells = [one.cell for one in frontier.found]
    shown = [*cells, *frontier.skipped]
    lengths, widths = (np.log2(sorted({cell.sizes[axis] for cell in shown})) for axis in (0, 1))
    batches = sorted({cell.batch for cell in shown})
    styles = series_styles(list(frontier.predictor.networks))
    names = [str(name) for name in styles]
    grid = panel_grid(len(batches))
    labels = [number(2.0**width) for width in widths]
    left = label_margin(labels)
    top = lay_out(
        grid, height=_HEIGHT, left=left, right=0.05, x_title=LENGTHS[frontier.task],
        measure=TITLES[frontier.task], note=f"on {frontier.device}",
        titles=[level_name("batch", batch) for batch in batches],
        legend=len(legend_rows(names, lines=False)) + 1,
    )  # fmt: skip
    for panel, batch in zip(grid.axes, batches, strict=True):
        _shade(panel, frontier, batch, lengths, widths, styles)
        _mark(panel, frontier, batch, styles)
        _set_ticks(panel, lengths, widths, labels)
    draw_legend(grid.figure, names, list(styles.values()), top=top, lines=False)
    y = top - (len(legend_rows(names, lines=False)) + 0.5) * LINE
    told = (
        "Width upwards. Hollow: a lead within the noise. Pale: less sure. ×: left out as too long or large."
    )
    write_title(grid.figure, told, x=0.04, y=y, gid="key")
    return grid.figure


def _shade(
    panel: Axes,
    frontier: Frontier,
    batch: int,
    lengths: np.ndarray,
    widths: np.ndarray,
    styles: Mapping[Level, SeriesStyle],
) -> None:
    """Colour each place by the network that is predicted to be the fastest, and draw where it changes."""
    x, y = (np.linspace(ends[0] - 0.5, ends[-1] + 0.5, _places(ends)) for ends in (lengths, widths))
    cells = [_between(frontier.task, length, width, batch) for width in y for length in x]
    predicted = frontier.predictor.predict(cells)
    shape = len(y), len(x)
    many = len(predicted.networks)
    best = predicted.probabilities.argmax(axis=1)
    sure = (predicted.probabilities.max(axis=1) * many - 1) / (many - 1)
    colours = np.array([to_rgb(styles[name].colour) for name in predicted.networks])
    opacity = _PALE + (_FULL - _PALE) * np.clip(sure, 0, 1)
    pixels = np.column_stack([colours[best], opacity]).reshape(*shape, 4)
    extent = (float(x[0]), float(x[-1]), float(y[0]), float(y[-1]))
    panel.imshow(
        pixels, extent=extent, origin="lower", aspect="auto", interpolation="none", zorder=0.5
    ).set_gid("predicted")
    for place in sorted(set(best.tolist())):
        others = np.delete(predicted.log_seconds, place, axis=1).min(axis=1)
        lead = (predicted.log_seconds[:, place] - others).reshape(shape)
        if lead.min() < 0 < lead.max():
            panel.contour(x, y, lead, levels=[0.0], colors=[INK], linewidths=0.9, zorder=1.2)


def _places(ends: np.ndarray) -> int:
    return int(_FINE * (ends[-1] - ends[0] + 1)) + 1


def _between(task: Task, length: float, width: float, batch: int) -> Cell:
    """A place between cells, its length and width given in octaves: the predictor takes fractions, too."""
    return Cell(task, cast(int, 2.0**length), cast(int, 2.0**width), batch)


def _mark(panel: Axes, frontier: Frontier, batch: int, styles: Mapping[Level, SeriesStyle]) -> None:
    """A mark for each measured cell, and one for each that was left out."""
    for one in frontier.found:
        if one.cell.batch != batch:
            continue
        style = styles[one.ranked[0]]
        panel.plot(
            [np.log2(one.cell.length)], [np.log2(one.cell.width)], linestyle="none", marker=style.marker,
            color=style.colour, markerfacecolor=style.colour if one.is_clear else PAPER,
            markeredgecolor=PAPER if one.is_clear else style.colour,
            markeredgewidth=0.5 if one.is_clear else 1.0, gid="measured",
        )  # fmt: skip
    left_out = [cell for cell in frontier.skipped if cell.batch == batch]
    if left_out:
        x, y = ([float(np.log2(cell.sizes[axis])) for cell in left_out] for axis in (0, 1))
        panel.plot(x, y, linestyle="none", marker="x", color=MUTED, markersize=3.2, gid="left-out")


def _set_ticks(panel: Axes, lengths: np.ndarray, widths: np.ndarray, labels: Sequence[str]) -> None:
    every = -(-len(lengths) // 4)
    panel.set_xticks(lengths[::every], [number(2.0**length) for length in lengths[::every]], size=SMALL)
    panel.set_yticks(widths, labels)
    panel.set_xlim(lengths[0] - 0.5, lengths[-1] + 0.5)
    panel.set_ylim(widths[0] - 0.5, widths[-1] + 0.5)
    panel.grid(visible=False)
