"""Made values for every chart of every page: what a budget plans, and for each seed a value by its name."""

import math
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from seqlab.analysis.intervals import interval
from seqlab.charts.draw import FigureData, Need, gather
from seqlab.notebook.discover import discover
from seqlab.notebook.experiment import BudgetName, Experiment
from seqlab.notebook.figures import ArtifactFigure, Figure, Table, matches
from seqlab.notebook.ledger import read
from seqlab.notebook.metrics import metric_named

ROOT = Path(__file__).parents[2]
STEPS = {"training step": (100, 200, 400, 600, 800, 1000), "": (1, 2, 4, 8, 16, 32, 64)}


@cache
def experiments() -> tuple[Experiment, ...]:
    """All pages."""
    found = discover(ROOT / "experiments", read(ROOT / "report" / "claims.toml"))
    assert not found.broken
    return tuple(found.experiments.values())


def charts(budget: BudgetName) -> Iterator[tuple[str, Figure, FigureData]]:
    """Every chart for which the budget plans a trial: its name, figure and made values."""
    for page in experiments():
        for place, figure in enumerate(page.figures, start=1):
            if isinstance(figure, Table | ArtifactFigure):
                continue
            data = gather(figure, lambda need, of=(page, figure): made(*of, need, budget))
            if not data.empty:
                yield f"{page.name}-{place}", figure, data


def made(
    page: Experiment, figure: Figure, need: Need, budget: BudgetName
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A summary and samples for what a figure needs, as the analysis gives them."""
    metric = metric_named(need.metric)
    points = [
        point
        for known in page.budgets
        if known.name == budget
        for point in known.points
        if matches(point.factors, figure.where)
    ]
    own = [name for name in need.by if name != "step"]
    values: dict[tuple[object, ...], list[float]] = {}
    for point in points:
        if not all(name in point.factors for name in own):
            continue
        levels = {name: point.factors[name] for name in own}
        for step in STEPS.get(metric.index, STEPS[""]) if "step" in need.by else (0,):
            key = tuple(step if name == "step" else levels[name] for name in need.by)
            rng = np.random.default_rng(
                zlib.crc32(repr((page.name, need.metric, sorted(levels.items()))).encode())
            )
            size = sum(math.log2(1 + abs(part)) for part in key if not isinstance(part, str | bool))
            centre = rng.normal() + 0.3 * rng.normal() * size
            draws = [centre + 0.1 * rng.normal() for _ in range(point.seeds or 1)]
            values.setdefault(key, []).extend(_within(metric.span, metric.log, draw) for draw in draws)
    keys = [*need.by]
    samples = [(*key, seed, value) for key, found in values.items() for seed, value in enumerate(found)]
    summary = []
    for key, found in values.items():
        mean = interval(found, log=metric.log)
        bounds = (mean.low, mean.high) if mean.n > 2 else (math.nan, math.nan)
        summary.append((*key, mean.estimate, *bounds, mean.n))
    return (
        pd.DataFrame(summary, columns=pd.Index([*keys, "estimate", "low", "high", "n"])),
        pd.DataFrame(samples, columns=pd.Index([*keys, "seed", "value"])),
    )


def _within(span: tuple[float, float], log: bool, draw: float) -> float:
    """A value that the metric may have."""
    low, high = span
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) / (1 + math.exp(-draw))
    if log or low == 0:
        return math.exp(draw)
    return min(max(draw, low), high)
