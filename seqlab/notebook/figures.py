"""Which charts and tables does a page show? Plain values, drawn later by `seqlab.charts`.

Because they are plain values, reading a page never imports a plotting library, and their factors and metrics
are checked before anything trains.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from seqlab.errors import UsageError

Level = str | int | float | bool
Scale = Literal["linear", "log2", "log10"]
Where = Mapping[str, Level | tuple[Level, ...]]


def matches(factors: Mapping[str, Level], where: Where) -> bool:
    """Whether every factor of `where` is present with that level, or one of those levels."""
    for name, allowed in where.items():
        if name not in factors:
            return False
        level = factors[name]
        if level not in allowed if isinstance(allowed, tuple) else level != allowed:
            return False
    return True


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What all charts and tables have in common.

    `where` keeps the runs whose factors have these levels. `split` names the split of the metric;
    empty for metrics without one. `caption` is one or two sentences without measured numbers.
    """

    caption: str
    where: Where = field(default_factory=dict)
    split: str = ""


@dataclass(frozen=True, kw_only=True)
class Curve(Figure):
    """A metric against a numeric factor, or its own index (`x="step"`): a line for each `hue` level."""

    x: str
    y: str
    hue: str
    columns: str = ""  # a factor whose levels make small multiples side by side
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    guides: Mapping[str, float] = field(default_factory=dict)  # horizontal reference lines, such as guessing


@dataclass(frozen=True, kw_only=True)
class Interval(Figure):
    """A metric for each level of a categorical factor: a dot per seed, the mean and its interval."""

    x: str  # the metric
    y: str  # the factor whose levels are the rows
    hue: str = ""
    columns: str = ""
    x_scale: Scale = "linear"
    guides: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tradeoff(Figure):
    """One metric against another, a mark for each `hue` level: cost against quality.

    With `along`, a numeric factor, each of its levels has a mark too, joined in order.
    `roof` names two more metrics, a slope and a height: no y should exceed the slope times its x, nor the
    height (Williams et al., 2009). Both are drawn, each at its mean over all runs of the figure.
    """

    x: str
    y: str
    hue: str
    along: str = ""
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    roof: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Heatmap(Figure):
    """A metric over two factors, or over one and its own index (`x="step"`), its mean written in each cell.

    With `columns`, a factor, each of its levels has a small panel without numbers.
    """

    x: str
    y: str
    value: str
    columns: str = ""


@dataclass(frozen=True, kw_only=True)
class Table(Figure):
    """Metrics as columns, combinations of the `rows` factors as rows; mean and interval in each cell.

    A metric may carry its split: `"mse@test"`. Without one, the table's `split` is used where the
    metric was measured on it, else the metric without a split. With `columns`, a factor, each of its
    levels is a column, and there is one metric.
    """

    rows: tuple[str, ...]
    metrics: tuple[str, ...]
    columns: str = ""

    def __post_init__(self) -> None:
        if self.columns and len(self.metrics) != 1:
            raise UsageError(
                f"a table with columns={self.columns!r} shows one metric, found {len(self.metrics)}. "
                "Make a table for each."
            )


@dataclass(frozen=True, kw_only=True)
class ArtifactFigure(Figure):
    """Artifacts of runs (`notebook.artifacts`), by name: of the first seed of each point that `where` keeps.

    Each is headed by its levels of the factors `by`.
    """

    artifact: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TextSamples(ArtifactFigure):
    """Texts, printed as they are."""


@dataclass(frozen=True, kw_only=True)
class ImageGrid(ArtifactFigure):
    """Rows of small pictures."""


@dataclass(frozen=True, kw_only=True)
class Attachment(ArtifactFigure):
    """Files for other programs, written beside the report and named in it."""
