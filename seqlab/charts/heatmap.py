"""How is a metric drawn over two factors? A coloured cell for each pair of levels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from seqlab.charts.colours import INK, MUTED, PAPER
from seqlab.charts.label_placement import text_width
from seqlab.charts.labels import write_text, write_title
from seqlab.charts.panels import PanelGrid, label_margin, lay_out, panel_grid, panel_width
from seqlab.charts.style import LINE, SMALL, TEXT, WIDTH
from seqlab.charts.units import Unit, display_unit, number, numbers
from seqlab.charts.words import (
    axis_title,
    direction,
    factor_title,
    index_title,
    is_numeric,
    level_name,
    level_value,
    levels_of,
    wrapped,
)
from seqlab.notebook.figures import Heatmap, Level
from seqlab.notebook.metrics import metric_named

_ROW = 0.33  # inches
_COLOUR_BAR = (1.1, 0.1)  # inches: the colour bar of small multiples
_PALETTE = "crest"


def plot(figure: Heatmap, summary: pd.DataFrame) -> Figure:
    """Draw `summary` (the factors, estimate). A cell that was not measured stays empty.

    A single map has no colour bar, since every cell contains its value; small multiples have one instead of
    values. Numbers increase to the right and upwards.
    """
    metric = metric_named(figure.value)
    scale = "log10" if metric.log and (summary["estimate"] > 0).all() else "linear"
    unit = display_unit(metric.unit, summary["estimate"], scale)  # type: ignore[arg-type]
    across, down = levels_of(summary, figure.x), levels_of(summary, figure.y)
    if is_numeric(down):
        down = down[::-1]
    shown = summary.assign(estimate=summary["estimate"] / unit.size)
    low, high = float(shown["estimate"].min()), float(shown["estimate"].max())
    norm = LogNorm(low, high) if scale == "log10" and low < high else Normalize(low, high)
    columns: Sequence[Level | None] = levels_of(summary, figure.columns) if figure.columns else [None]

    grid = panel_grid(len(columns))
    names = [wrapped(level_value(row)) for row in down]
    left = max(label_margin(names, size=TEXT), label_margin([factor_title(figure.y)], size=SMALL))
    cell = panel_width(grid, left=left, right=0.05) / len(
        across
    )  # inches: cells of small multiples are square
    top = lay_out(
        grid,
        height=(_ROW if not figure.columns else cell) * len(down),
        left=left,
        right=0.05,
        x_title=index_title(figure.x, metric),
        measure=axis_title(metric, unit),
        note=direction(metric),
        titles=["" if column is None else level_name(figure.columns, column) for column in columns],
        head=LINE - 0.02,
    )
    for panel, column in zip(grid.axes, columns, strict=True):
        part = shown if column is None else shown[shown[figure.columns] == column]
        cells = part.pivot_table(
            index=figure.y, columns=figure.x, values="estimate", aggfunc="first", observed=True
        )
        _shade(panel, cells.reindex(index=down, columns=across), norm, names, annotated=not figure.columns)
    if figure.columns:
        _colour_bar(grid, norm, unit, low=low, high=high)
    room = LINE + 0.03 if figure.columns else 0.0  # of the panels' titles
    y = top - 0.05 - room - LINE / 2
    write_title(grid.figure, factor_title(figure.y), x=0.02, y=y, gid="rows-title")
    return grid.figure


def _shade(
    panel: Axes, cells: pd.DataFrame, norm: Normalize, names: Sequence[str], *, annotated: bool
) -> None:
    digits = 3 if len(cells.columns) <= 9 else 2
    values = np.reshape(numbers(cells.to_numpy().ravel().tolist(), digits=digits), cells.shape)
    sns.heatmap(
        cells,
        norm=norm,
        cmap=_PALETTE,
        annot=values if annotated else False,
        fmt="",
        annot_kws={"size": TEXT},
        cbar=False,
        linewidths=1.0,
        linecolor=PAPER,
        xticklabels=[wrapped(level_value(column), width=12) for column in cells.columns],
        yticklabels=names,
        ax=panel,
    )
    panel.collections[0].set_gid("cells")
    panel.set(xlabel="", ylabel="")
    panel.grid(visible=False)
    panel.tick_params(axis="x", length=0, labelrotation=0)
    panel.tick_params(axis="y", labelrotation=0, labelsize=TEXT, labelcolor=INK)
    panel.spines[:].set_visible(False)


def _colour_bar(grid: PanelGrid, norm: Normalize, unit: Unit, *, low: float, high: float) -> None:
    """A colour bar above all panels, at the right, with the lowest and highest value at its ends."""
    width, height = _COLOUR_BAR
    ends = [number(value, digits=2) for value in (low, high)]
    right = WIDTH - 0.05 - text_width(ends[1], SMALL) - 0.05
    total = grid.figure.get_figheight()
    y = total - 0.02 - LINE / 2
    ramp = grid.figure.add_axes(
        ((right - width) / WIDTH, (y - height / 2) / total, width / WIDTH, height / total), label="ramp"
    )
    ramp.pcolormesh(np.linspace(0, 1, 32)[None], cmap=sns.color_palette(_PALETTE, as_cmap=True))
    ramp.set_gid("ramp")
    ramp.set_axis_off()
    first = grid.axes[0]
    write_text(first, ends[0], x=right - width - 0.05, y=y, ink=MUTED, gid="ramp-low", size=SMALL, ha="right")
    write_text(first, ends[1], x=right + 0.05, y=y, ink=MUTED, gid="ramp-high", size=SMALL)
