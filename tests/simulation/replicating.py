"""How often is a claim found not to replicate, by an honest machine and by one on which a model is changed?

A claim compares two models, in one or several cells. The reference and the machine draw seeds from the same
distribution; what is changed, is changed in the new seeds of the first model.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from multiprocessing import Pool
from types import MappingProxyType

import numpy as np

from seqlab.analysis.exchangeability import fisher, p_value
from seqlab.analysis.replication import ERROR, trials_needed
from tests.simulation.ledgers import hash_of_text
from tests.simulation.noise import DEVIATION, NOISES, Values, draw

SIDES = 2
SHAPES = (
    (5, 2, 1), (5, 3, 1), (5, 1, 3), (5, 2, 3), (10, 2, 1), (10, 3, 1), (10, 1, 3), (10, 2, 3), (20, 1, 1),
    (20, 2, 1),
)  # fmt: skip
Change = Callable[[Values, float, np.random.Generator], Values]  # new values, a standard deviation, draws


def lower(new: Values, deviation: float, rng: np.random.Generator, *, by: float) -> Values:
    """Every seed is lower by so many standard deviations."""
    return new - by * deviation


def failing(new: Values, deviation: float, rng: np.random.Generator) -> Values:
    """One seed in five is lower by ten standard deviations."""
    return np.where(rng.random(new.shape) < 0.2, new - 10 * deviation, new)


CHANGES: Mapping[str, Change | None] = MappingProxyType({
    "honest": None, "3 deviations lower": partial(lower, by=3), "nothing learnt": partial(lower, by=30),
    "one seed in five fails": failing,
})  # fmt: skip


def refused(noise: str, shape: tuple[int, int, int], change: str, claims: int) -> float:
    """The share of claims that do not replicate; `shape` is reference seeds, trials of a point, cells."""
    seeds, trials, cells = shape
    if trials < trials_needed(seeds, points=cells, sides=SIDES):
        raise ValueError(f"expected enough trials to tell, found {trials} beside {seeds} reference seeds.")
    rng = np.random.default_rng(hash_of_text(f"{noise} {shape} {change}"))
    apply, count = CHANGES[change], 0
    for _ in range(claims):
        p_values = []
        for side in range(SIDES):
            reference, new = (draw(noise, rng, (cells, number)) for number in (seeds, trials))
            if apply and side == 0:
                new = apply(new, DEVIATION[noise], rng)
            p_values.append(fisher([p_value(*both) for both in zip(reference, new, strict=True)]))
        count += min(p_values) * SIDES < ERROR
    return count / claims


def table(claims: int, processes: int) -> str:
    """In per cent, from the least to the largest over all kinds of noise."""
    asked = [(noise, shape, change, claims) for shape in SHAPES for change in CHANGES for noise in NOISES]
    with Pool(processes) as pool:
        shares = iter(pool.starmap(refused, asked))
    lines = [
        f"| reference seeds, trials, cells | {' | '.join(CHANGES)} |",
        "| --- " + "| ---: " * len(CHANGES) + "|",
        *(f"| {', '.join(map(str, shape))} | {' | '.join(_ranges(shares))} |" for shape in SHAPES),
    ]
    return "\n".join(lines)


def _ranges(shares: Iterator[float]) -> Iterator[str]:
    for _ in CHANGES:
        found = [100 * next(shares) for _ in NOISES]
        low, high = f"{min(found):.0f}", f"{max(found):.0f}"
        yield low if low == high else f"{low} to {high}"
