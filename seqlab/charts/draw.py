"""Which data does a chart need, and how does it become a file? The interface of this package.

A caller asks `needs` what to request from the analysis, passes the tables as `FigureData`, and gets an SVG
and its alt text. Where nothing was measured, `draw` writes a small placeholder and says so in the alt text,
so that no link in the document breaks; `FigureData.empty` tells in advance.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seqlab.charts.alt import NOTHING, describe
from seqlab.charts.kept import kept, kept_or_drawn
from seqlab.charts.run_panels import RunPanels
from seqlab.charts.words import at_level, index_title
from seqlab.notebook.figures import Curve, Figure, Heatmap, Interval, Tradeoff
from seqlab.notebook.metrics import metric_named

if TYPE_CHECKING:  # what is drawn already needs no matplotlib
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True)
class Need:
    """A request to the analysis: `metric`, for each combination of levels of the factors `by`.

    `split` applies if the metric was measured on it. The figure's own `where` applies to all of its needs.
    """

    metric: str
    by: tuple[str, ...]
    split: str


@dataclass(frozen=True)
class FigureData:
    """The tables that a figure is drawn from, in base units.

    `summary` has the factors, then estimate, low, high and n; `samples` the factors, seed and value.
    For a Tradeoff both are joined on its factors (and the seed): x_estimate, …, y_value; a roof's two
    numbers are the same in every row, `roof_slope` and `roof_height`. A missing interval is NaN in `low`
    and `high`.
    """

    summary: pd.DataFrame
    samples: pd.DataFrame

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        columns = [name for name in self.summary if str(name).endswith("estimate")]
        finite = np.isfinite(self.summary[columns].to_numpy(dtype=float))
        return not columns or not finite.all(axis=1).any()


def needs(figure: Figure) -> tuple[Need, ...]:
    """One need for each metric of the figure: for a Tradeoff x, y and its roof's two, else one."""
    match figure:
        case Curve(x=x, y=metric, hue=hue, columns=columns):
            return (Need(metric, _named(columns, hue, x), figure.split),)
        case Interval(x=metric, y=y, hue=hue, columns=columns):
            return (Need(metric, _named(columns, y, hue), figure.split),)
        case Tradeoff(x=x, y=y, hue=hue, along=along, roof=roof):
            marked = tuple(Need(metric, _named(hue, along), figure.split) for metric in (x, y))
            return marked + tuple(Need(metric, (), figure.split) for metric in roof or ())
        case Heatmap(x=x, y=y, value=metric, columns=columns):
            return (Need(metric, _named(columns, y, x), figure.split),)
    raise TypeError(f"expected a chart, found a {type(figure).__name__}; tables are written by the document.")


def _named(*factors: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(factor for factor in factors if factor))


def gather(figure: Figure, ask: Callable[[Need], tuple[pd.DataFrame, pd.DataFrame]]) -> FigureData:
    """Ask for each need's summary and samples, and join those of a Tradeoff."""
    answers = [ask(need) for need in needs(figure)]
    if len(answers) == 1:
        return FigureData(*answers[0])
    (x, x_seeds), (y, y_seeds), *roof = answers
    by = needs(figure)[0].by
    summary = _sided(x, "x", by).merge(_sided(y, "y", by), on=list(by), how="inner")
    summary["n"] = summary[["x_n", "y_n"]].min(axis=1)
    for name, (mean, _) in zip(("roof_slope", "roof_height"), roof, strict=False):
        summary[name] = mean["estimate"].iloc[0] if len(mean) else np.nan
    keys = (*by, "seed")
    return FigureData(summary, _sided(x_seeds, "x", keys).merge(_sided(y_seeds, "y", keys), on=list(keys)))


def _sided(table: pd.DataFrame, side: str, keys: tuple[str, ...]) -> pd.DataFrame:
    return table.rename(columns={name: f"{side}_{name}" for name in table if name not in keys})


def single_place(figure: Figure, summary: pd.DataFrame) -> str:
    """`at length 64`, where lines have that single point; else empty."""
    if not isinstance(figure, Curve):
        return ""
    found = summary[np.isfinite(summary["estimate"].astype(float))][figure.x].unique().tolist()
    return (
        f"at {at_level(index_title(figure.x, metric_named(figure.y)), found[0])}" if len(found) == 1 else ""
    )


def as_measured(figure: Figure, summary: pd.DataFrame) -> Figure:
    """The figure, or rows of marks in place of lines that would have a single point each."""
    if not isinstance(figure, Curve) or not single_place(figure, summary):
        return figure
    return Interval(
        caption=figure.caption, where=figure.where, split=figure.split, x=figure.y, y=figure.hue,
        columns=figure.columns, x_scale=figure.y_scale, guides=figure.guides,
    )  # fmt: skip


def plot(figure: Figure, data: FigureData) -> "Canvas":
    """The chart as a matplotlib figure, for `draw` and for tests. Call within `style.theme()`."""
    from seqlab.charts import curve, heatmap, interval, tradeoff  # a second to import, and seldom needed

    if data.empty:
        return _placeholder()
    place = single_place(figure, data.summary)
    match figure := as_measured(figure, data.summary):
        case Curve():
            return curve.plot(figure, data.summary, data.samples)
        case Interval():
            return interval.plot(figure, data.summary, data.samples, place=place)
        case Tradeoff():
            return tradeoff.plot(figure, data.summary, data.samples)
        case Heatmap():
            return heatmap.plot(figure, data.summary)
    raise TypeError(f"expected a chart, found a {type(figure).__name__}; tables are written by the document.")


def _placeholder() -> "Canvas":
    from seqlab.charts.labels import write_title
    from seqlab.charts.panels import panel_grid
    from seqlab.charts.style import WIDTH

    canvas = panel_grid(0).figure
    canvas.set_size_inches(WIDTH, 0.6)
    write_title(canvas, NOTHING, x=WIDTH / 2, y=0.3, gid="nothing", ha="center")
    return canvas


def draw(figure: Figure, data: FigureData, path: Path) -> str:
    """Write the chart to `path` as SVG and return its alt text (plain text, not yet escaped).

    Equal data give equal bytes; a chart that is there already is not drawn again.
    """
    made_from = "\n".join([repr(figure), data.summary.to_csv(), data.samples.to_csv()])
    return kept_or_drawn(path, made_from, lambda: (_svg(lambda: plot(figure, data)), _alt(figure, data)))


def _alt(figure: Figure, data: FigureData) -> str:
    if data.empty:
        return NOTHING
    alt = describe(as_measured(figure, data.summary), data.summary)
    place = single_place(figure, data.summary)
    return f"{alt} All {place}." if place else alt


def draw_image_grid(rows: Sequence[RunPanels], folder: Path, name: str) -> list[tuple[Path, str]]:
    """Write an image grid as one SVG or, if it is too long for a page, as several; each with its alt text.

    The first is `folder`/`name`.svg, the next `name`-2.svg. Without rows it is a placeholder.
    """
    made_from = repr(rows)
    return _kept_grid(made_from, folder, name) or _drawn_grid(rows, made_from, folder, name)


def _part(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}{f'-{number}' if number > 1 else ''}.svg"


def _kept_grid(made_from: str, folder: Path, name: str) -> list[tuple[Path, str]]:
    """All parts, if they are there; else none."""
    found: list[tuple[Path, str]] = []
    while True:
        path = _part(folder, name, len(found) + 1)
        last = kept(path, f"{made_from} {len(found) + 1} last")
        alt = last if last is not None else kept(path, f"{made_from} {len(found) + 1}")
        if alt is None:
            return []
        found.append((path, alt))
        if last is not None:
            return found


def _drawn_grid(rows: Sequence[RunPanels], made_from: str, folder: Path, name: str) -> list[tuple[Path, str]]:
    from seqlab.charts import image_grid
    from seqlab.charts.image_colours import ColourScale
    from seqlab.charts.image_grid_alt import describe_image_grid

    scale = ColourScale.of(panel for row in rows for panel in row.panels)
    parts = image_grid.pages(rows, scale) or [[]]
    drawn = []
    for number, part in enumerate(parts, start=1):

        def shown(part: Sequence[image_grid.PanelRow] = part) -> tuple[str, str]:
            svg = _svg(lambda: image_grid.plot(part, scale) if part else _placeholder())
            return svg, describe_image_grid(part) if part else NOTHING

        of = f"{made_from} {number}{' last' if number == len(parts) else ''}"
        path = _part(folder, name, number)
        drawn.append((path, kept_or_drawn(path, of, shown)))
    return drawn


def _svg(chart: "Callable[[], Canvas]") -> str:
    from seqlab.charts.style import theme
    from seqlab.charts.svg import svg

    with theme(), _garbage_collection_paused():
        return svg(chart())


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Pause the garbage collector: a chart's thousands of small objects trigger it in vain (10 % of time)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def describe_n(summary: pd.DataFrame, *, deterministic: bool = False) -> str:
    """The number of seeds of a chart, for its caption: `n = 5 seeds`, `n = 3 to 5 seeds`.

    Whether a point is deterministic is known from its plan (`Point.seeds is None`), not from its one run.
    """
    if deterministic:
        return "deterministic"
    if summary.empty:
        return "n = 0 seeds"
    least, most = int(summary["n"].min()), int(summary["n"].max())
    if least != most:
        return f"n = {least} to {most} seeds"
    return f"n = {most} seed{'' if most == 1 else 's'}"
