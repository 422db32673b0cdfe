"""How often are devices told apart that are alike, and that are not? By Cochran's Q and by dealing.

Each device measures one cell with the same number of seeds. They draw from one distribution; where one is
off, its effects are larger by 1.5 standard deviations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pool

import numpy as np
from scipy.stats import chi2

from seqlab.analysis.agreement import cochran, p_value
from seqlab.analysis.intervals import LEVEL
from tests.simulation.ledgers import hash_of_text
from tests.simulation.noise import DEVIATION, NOISES, draw

SEEDS, DEVICES = (5, 10), (2, 3, 5)
OFF, WIDE = 1.5, 3.0  # standard deviations; times the scatter of the others


@dataclass(frozen=True)
class Shelf:
    """How many devices, what their seeds do, and whether one scatters more than the others."""

    noise: str
    devices: int
    wide: bool = False

    @property
    def told(self) -> str:
        """What a row is about."""
        return f"{self.noise}, one device with three times the scatter" if self.wide else self.noise


SHELVES = (*(Shelf(noise, devices) for noise in NOISES for devices in DEVICES), Shelf("normal", 5, wide=True))


def alarms(shelf: Shelf, seeds: int, cells: int) -> tuple[float, float, float]:
    """The shares of cells in which Q and dealing tell alike devices apart, and dealing one that is off."""
    rng = np.random.default_rng(hash_of_text(f"{shelf} {seeds}"))
    found = np.zeros(3)
    for _ in range(cells):
        effects = draw(shelf.noise, rng, (shelf.devices, seeds))
        if shelf.wide:
            effects[0] *= WIDE
        by_q = chi2.sf(cochran(effects), shelf.devices - 1)
        alike = p_value(effects)
        effects[0] += OFF * DEVIATION[shelf.noise]
        found += np.array([by_q, alike, p_value(effects)]) < 1 - LEVEL
    q, dealing, off = found / cells
    return q, dealing, off


def table(cells: int, processes: int) -> str:
    """In per cent, with 5 and with 10 seeds a device."""
    asked = [(shelf, seeds, cells) for shelf in SHELVES for seeds in SEEDS]
    with Pool(processes) as pool:
        shares = iter(pool.starmap(alarms, asked))
    few, more = SEEDS
    lines = [
        "| noise | devices | Q: false alarms | dealing: false alarms | dealing: one device off, found |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(f"| {shelf.told} | {shelf.devices} | {' | '.join(_row(shares))} |" for shelf in SHELVES),
        "",
        (
            f"Per cent of {cells:,} simulated cells at 5 %, with {few} and {more} seeds a device; off is "
            f"{OFF} standard deviations."
        ),
    ]
    return "\n".join(lines)


def _row(shares: Iterator[Sequence[float]]) -> Iterator[str]:
    few_and_more = [next(shares) for _ in SEEDS]
    for column in zip(*few_and_more, strict=True):
        yield ", ".join(f"{100 * share:.0f}" for share in column)
