"""How is a metric drawn over two factors: a shade and its mean in each cell?"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from seqlab.charts.labels import heading
from seqlab.charts.panels import margin, settle, sheet
from seqlab.charts.style import INK, LINE, SMALL, TEXT
from seqlab.charts.units import display_unit, numbers
from seqlab.charts.words import axis_title, factor_title, is_numeric, level_value, levels_of, wrapped
from seqlab.figures import Heatmap
from seqlab.metrics import metric_named

_ROW = 0.33  # inches


def plot(figure: Heatmap, summary: pd.DataFrame) -> Figure:
    """Draw `summary` (both factors, estimate). A cell that was not measured stays empty.

    There is no colour bar, since every cell says its value. Numbers rise to the right and upwards.
    """
    metric = metric_named(figure.value)
    scale = "log10" if metric.log and (summary["estimate"] > 0).all() else "linear"
    unit = display_unit(metric.unit, summary["estimate"], scale)  # type: ignore[arg-type]
    rows, columns = levels_of(summary, figure.y), levels_of(summary, figure.x)
    if is_numeric(rows):
        rows = rows[::-1]
    cells = summary.pivot_table(
        index=figure.y, columns=figure.x, values="estimate", aggfunc="first", observed=True
    )
    cells = cells.reindex(index=rows, columns=columns) / unit.size
    digits = 3 if len(columns) <= 9 else 2

    page = sheet(1)
    (panel,) = page.axes
    names = [wrapped(level_value(row)) for row in rows]
    left = max(margin(names, size=TEXT), margin([factor_title(figure.y)], size=SMALL))
    height = _ROW * len(rows)
    settle(
        page,
        height=height,
        left=left,
        right=0.05,
        x_title=factor_title(figure.x),
        y_title=axis_title(metric, unit),
        head=LINE - 0.02,
    )
    low, high = cells.min().min(), cells.max().max()
    said = np.reshape(numbers(cells.to_numpy().ravel().tolist(), digits=digits), cells.shape)
    sns.heatmap(
        cells,
        norm=LogNorm(low, high) if scale == "log10" and low < high else Normalize(low, high),
        cmap="crest",
        annot=said,
        fmt="",
        annot_kws={"size": TEXT},
        cbar=False,
        linewidths=1.0,
        linecolor="white",
        xticklabels=[wrapped(level_value(column), width=12) for column in columns],
        yticklabels=names,
        ax=panel,
    )
    panel.collections[0].set_gid("cells")
    panel.set(xlabel="", ylabel="")
    panel.grid(visible=False)
    panel.tick_params(axis="x", length=0, labelrotation=0)
    panel.tick_params(axis="y", labelrotation=0, labelsize=TEXT, labelcolor=INK)
    panel.spines[:].set_visible(False)
    top = page.figure.get_figheight() - 0.09 - LINE
    heading(page.figure, factor_title(figure.y), x=0.02, y=top - LINE / 2 + 0.01, gid="rows-title")
    return page.figure
