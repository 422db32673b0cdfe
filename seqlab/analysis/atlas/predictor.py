"""Which network is the fastest in a cell never measured, with what probability, and what does each take?

Times are those of `fit`. Few cells flatter a kernel that was chosen by them, so the uncertainty is stretched
until it holds on cells that are left out; beyond the measured cells it grows with the distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from seqlab.analysis.atlas.cells import Cell, Measured, log_seconds, networks_of
from seqlab.analysis.atlas.fit import Fit, coordinates
from seqlab.errors import UsageError

LEAST_CELLS = 8  # of a task on a device, to predict from
MOST_CELLS = 2_000  # a Gaussian process takes the cube of their number
INTERVAL = 0.9  # probability of the interval of a predicted time
# Beyond what was measured the arithmetic itself is less certain: standard deviation of a log time an octave.
# A cache that no longer fits, or a kernel for other sizes, costs a tenth and more.
PER_OCTAVE = 0.1
CALIBRATION_FOLDS = 5
POINTS = 200  # at which the probability of being the fastest is summed


@dataclass(frozen=True)
class Predictions:
    """For each cell a row, for each network a column: log seconds, their deviation, and the probability.

    `log_seconds` and `sd` are those of the time itself; `probabilities` are those of being the fastest.
    """

    cells: tuple[Cell, ...]
    networks: tuple[str, ...]
    log_seconds: np.ndarray
    sd: np.ndarray
    probabilities: np.ndarray

    @property
    def chosen(self) -> list[str]:
        """The network that is most probably the fastest, of each cell."""
        return [self.networks[place] for place in self.probabilities.argmax(axis=1)]

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The seconds between which a time is expected with the probability `INTERVAL`."""
        reach = stats.norm.ppf((1 + INTERVAL) / 2) * self.sd
        return np.exp(self.log_seconds - reach), np.exp(self.log_seconds + reach)


class Predictor:
    """Predicts cells of one task from measured ones. Raises `UsageError` for fewer than `LEAST_CELLS`.

    The search for kernels begins at those of a predictor that is `like` this one, if it is given.
    """

    def __init__(self, found: Sequence[Measured], *, like: "Predictor | None" = None) -> None:
        if len(found) < LEAST_CELLS:
            raise UsageError(
                f"expected {LEAST_CELLS} measured cells or more, found {len(found)}. "
                "Run `nox -s atlas`, which goes on where it stopped."
            )
        found = evenly(found, MOST_CELLS)
        self.networks = tuple(networks_of(found))
        cells, times = [one.cell for one in found], log_seconds(found, self.networks)
        self._x = coordinates(cells)
        self._fit: Fit = Fit.of(self.networks, cells, times, like=like._fit.kernels if like else None)
        self._stretch = _stretches(self._fit, self.networks, cells, times)

    def predict(self, cells: Sequence[Cell]) -> Predictions:
        """What these cells, of the same task, are predicted to take."""
        x, many = coordinates(cells), len(self.networks)
        fit = self._fit.predict(cells)
        extra = PER_OCTAVE * octaves_outside(x, self._x)[:, None]
        of_time, of_deviation = self._stretch
        # Deviations sum to zero: each has lost a part of its variance, and two differ by more than it seems.
        apart = np.sqrt((of_deviation * fit.deviation_sd) ** 2 * many / (many - 1) + extra**2)
        return Predictions(
            tuple(cells),
            self.networks,
            fit.relative + fit.mean,
            np.sqrt((of_time * fit.sd) ** 2 + extra**2),
            fastest_probabilities(fit.relative, apart),
        )


def _stretches(
    fit: Fit, networks: Sequence[str], cells: Sequence[Cell], times: np.ndarray
) -> tuple[float, float]:
    """By how much the standard deviations of times and of deviations must grow to be honest; 1 at least.

    From cells that are left out of a fit with the same kernels: so large that as many of them lie within
    their intervals as should (split conformal prediction, after Vovk et al., 2005, over folds).
    """
    fold = np.random.default_rng(1).permutation(len(cells)) % CALIBRATION_FOLDS
    off_times, off_deviations = list[float](), list[float]()
    for out in range(CALIBRATION_FOLDS):
        known = [cell for cell, own in zip(cells, fold, strict=True) if own != out]
        asked = [cell for cell, own in zip(cells, fold, strict=True) if own == out]
        part = Fit.of(networks, known, times[fold != out], like=fit.kernels, search=False)
        found, truth = part.predict(asked), times[fold == out]
        off_times += (np.abs(truth - found.relative - found.mean) / found.sd).ravel().tolist()
        apart = (truth - truth.mean(axis=1, keepdims=True)) - (
            found.relative - found.relative.mean(axis=1, keepdims=True)
        )
        off_deviations += (np.abs(apart) / found.deviation_sd).ravel().tolist()
    reach, share = stats.norm.ppf((1 + INTERVAL) / 2), min(1.0, INTERVAL * (1 + 1 / len(cells)))
    of_time, of_deviation = (
        max(1.0, float(np.quantile(off, share) / reach)) for off in (off_times, off_deviations)
    )
    return of_time, of_deviation


def octaves_outside(x: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How many octaves each place lies beyond what is known; 0 for what is inside.

    It is inside if something known is at least as large on every axis, and something at most as large. So a
    corner that was left out, since it would take too long, is outside.
    """
    beyond = x[:, None] - known
    above = np.maximum(beyond, 0.0).max(axis=2).min(axis=1)
    below = np.maximum(-beyond, 0.0).max(axis=2).min(axis=1)
    return np.asarray(np.maximum(above, below))


def evenly(found: Sequence[Measured], most: int) -> list[Measured]:
    """So many of the cells at most, evenly chosen, the same every time."""
    if len(found) <= most:
        return list(found)
    kept = np.random.default_rng(0).permutation(len(found))[:most]
    return [found[place] for place in sorted(kept)]


def fastest_probabilities(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """The probability that each column is the least of its row, of independent normal numbers."""
    sd = np.maximum(sd, 1e-4)
    low, high = (mean - 6 * sd).min(axis=1), (mean + 6 * sd).min(axis=1)
    at = np.linspace(low, high, POINTS, axis=1)[:, :, None]
    density = stats.norm.pdf(at, mean[:, None], sd[:, None])
    beyond = np.asarray(stats.norm.logsf(at, mean[:, None], sd[:, None]))
    others = np.exp(beyond.sum(axis=2, keepdims=True) - beyond)
    likely = (density * others).sum(axis=1)
    total = likely.sum(axis=1, keepdims=True)
    certain = mean == mean.min(axis=1, keepdims=True)  # where the grid is too coarse for so sharp a lead
    return np.asarray(np.where(total > 0, likely / np.where(total > 0, total, 1.0), certain))
