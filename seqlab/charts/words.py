"""How are factors, levels and axes named, in a chart and in its alt text?"""

import textwrap
from collections.abc import Iterable

import pandas as pd

from seqlab.charts.units import Unit, number
from seqlab.notebook.figures import Level
from seqlab.notebook.metrics import Metric


def factor_title(name: str) -> str:
    """`batch_size` becomes `Batch size`."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def lowered(title: str) -> str:
    """A title within a sentence: its first letter is small, unless an acronym begins there."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def level_value(level: Level) -> str:
    """A level next to its factor's title. Unprintable characters, which XML forbids, become spaces."""
    if isinstance(level, bool):
        return "yes" if level else "no"
    if isinstance(level, str):
        return "".join(letter if letter.isprintable() else " " for letter in level)
    return number(level)


def level_name(factor: str, level: Level) -> str:
    """A level on its own: a name as it is, a number or a Boolean with its factor."""
    if isinstance(level, str):
        return level_value(level)
    colon = ":" if isinstance(level, bool) else ""
    return f"{factor.replace('_', ' ')}{colon} {level_value(level)}"


def wrapped(text: str, *, width: int = 24) -> str:
    """At most two lines of about `width` characters; the rest becomes an ellipsis."""
    return "\n".join(textwrap.wrap(text, width, max_lines=2, placeholder=" …")) or text


def axis_title(metric: Metric, unit: Unit) -> str:
    """The metric's title with its display unit: `Time per training step (ms)`."""
    return f"{metric.title} ({unit.symbol})" if unit.symbol else metric.title


def direction(metric: Metric) -> str:
    """Which direction is better: `lower is better`; empty where neither is."""
    return "" if metric.better == "neither" else f"{metric.better} is better"


def index_title(name: str, metric: Metric) -> str:
    """The title of an x-axis: the factor, or what the metric's steps count."""
    return factor_title(metric.index if name == "step" else name)


def levels_of(table: pd.DataFrame, factor: str) -> list[Level]:
    """The levels in the order in which they appear, numbers in ascending order; no missing ones."""
    found: list[Level] = list(dict.fromkeys(table[factor].dropna().tolist()))
    return sorted(found, key=float) if is_numeric(found) else found


def at_level(factor: str, level: Level) -> str:
    """A level within a sentence: `length 64`, `512 tokens`, `Fashion-MNIST`."""
    name = lowered(factor.replace("_", " "))
    plural = isinstance(level, int | float) and not isinstance(level, bool) and name.endswith("s")
    return f"{level_value(level)} {name}" if plural else level_name(name, level)


def is_numeric(levels: Iterable[Level]) -> bool:
    """Whether all levels are numbers; Booleans are not."""
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels)
