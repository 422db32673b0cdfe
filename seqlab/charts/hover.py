"""What does a mark say when a pointer rests on it: its name, value, interval and number of seeds?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqlab.charts.units import Unit, number

Hover = tuple[float, float, str]  # inches from the lower left corner, and the text
_KEPT = "seqlab_hovers"


def add_hover(panel: Axes, x: float, y: float, told: str) -> None:
    """Let a spot of the panel's figure tell something; in inches from the figure's lower left corner."""
    figure = panel.get_figure(root=True)
    if figure is not None and math.isfinite(x) and math.isfinite(y):
        figure.__dict__.setdefault(_KEPT, []).append((x, y, told))


def hovers_of(figure: Figure) -> Sequence[Hover]:
    """All that the figure's spots tell."""
    found: Sequence[Hover] = figure.__dict__.get(_KEPT, ())
    return found


def told(name: str, row: Mapping[Any, Any], unit: Unit, *, side: str = "") -> str:
    """`LSTM: 0.62 (0.60 to 0.64), n = 5`; the row's numbers are already in the unit."""
    value, low, high = (row[f"{side}{part}"] for part in ("estimate", "low", "high"))
    symbol = f" {unit.symbol}" if unit.symbol else ""
    between = f" ({number(low)} to {number(high)})" if low < high and math.isfinite(high - low) else ""
    return f"{name}: {number(value)}{symbol}{between}"


def seeds(row: Mapping[Any, Any]) -> str:
    """`, n = 5`, where the row knows its number of seeds and there are several."""
    n = row.get("n", 1)
    return f", n = {int(n)}" if n == n and n > 1 else ""
