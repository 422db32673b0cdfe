"""Which network is the fastest in a cell never measured, with what probability, and what does each take?

For each network the arithmetic of its step is fitted (`roofline`). What is left of the log time is split into
its mean over the networks of a cell and each network's deviation from it: whatever slowed the whole run is in
the mean, and only deviations say who is faster. Both are Gaussian processes over the logarithms of length,
width and batch (Rasmussen & Williams, 2006), with a Matérn kernel, a scale for each axis and noise, found by
maximum likelihood (scikit-learn); the deviations share one kernel. Between measured cells a process follows
them, far from them it returns to the arithmetic, and its uncertainty says how far it is.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import optimize, stats

from seqlab.analysis.atlas.cells import Cell, Measured, log_seconds, networks_of
from seqlab.analysis.atlas.roofline import fitted
from seqlab.errors import UsageError

LEAST_CELLS = 8  # of a task on a device, to predict from
MOST_CELLS = 2_000  # a Gaussian process takes the cube of their number
MOST_TUNED = 300  # on which the kernel is found
INTERVAL = 0.9  # probability of the interval of a predicted time
# Beyond what was measured the arithmetic itself is less certain: standard deviation of a log time an octave.
# A cache that no longer fits, or a kernel for other sizes, costs a tenth and more.
PER_OCTAVE = 0.1
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
        self._cells = [one.cell for one in found]
        times = log_seconds(found, self.networks)
        self._rooflines = [
            fitted(name, self._cells, np.exp(times[:, place])) for place, name in enumerate(self.networks)
        ]
        left = times - self._by_arithmetic(self._cells)
        mean = left.mean(axis=1, keepdims=True)
        x = coordinates(self._cells)
        self._x = x
        self._mean: Any = _process(x, mean, like._mean.kernel_ if like else None)
        self._deviations: Any = _process(x, left - mean, like._deviations.kernel_ if like else None)

    def predict(self, cells: Sequence[Cell]) -> Predictions:
        """What these cells, of the same task, are predicted to take."""
        x, many = coordinates(cells), len(self.networks)
        mean, mean_sd = _predicted(self._mean, x)
        deviation, deviation_sd = _predicted(self._deviations, x)
        extra = PER_OCTAVE * octaves_outside(x, self._x)[:, None]
        # Deviations sum to zero: each has lost a part of its variance, and two differ by more than it seems.
        apart = np.sqrt(deviation_sd**2 * many / (many - 1) + extra**2)
        arithmetic = self._by_arithmetic(cells)
        relative = arithmetic + deviation
        return Predictions(
            tuple(cells),
            self.networks,
            relative + mean,
            np.sqrt(mean_sd**2 + deviation_sd**2 + extra**2),
            fastest_probabilities(relative, apart),
        )

    def _by_arithmetic(self, cells: Sequence[Cell]) -> np.ndarray:
        return np.asarray(np.log([roofline.seconds(cells) for roofline in self._rooflines]).T)


def coordinates(cells: Sequence[Cell]) -> np.ndarray:
    """Each cell's length, width and batch in octaves."""
    return np.asarray(np.log2(np.array([cell.sizes for cell in cells], dtype=float)).reshape(-1, 3))


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


def _process(x: np.ndarray, y: np.ndarray, kernel: Any = None) -> Any:
    """A Gaussian process through the values of each column of `y`, with one kernel for all columns.

    The search for it begins at `kernel`.
    """
    from sklearn.exceptions import ConvergenceWarning  # 1 s to import, which only predictions need
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if kernel is None:
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * Matern([4.0] * 3, (0.7, 100.0), nu=2.5)
        kernel += WhiteKernel(0.1, (1e-4, 1.0))
    tuned = np.random.default_rng(0).permutation(len(x))[:MOST_TUNED]
    # One thread: the matrices are small, and threads wait for one another.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a scale at its bound: that axis does not matter
        search = GaussianProcessRegressor(kernel, optimizer=_optimum, normalize_y=True)
        process = search.fit(x[tuned], y[tuned])
        if len(tuned) < len(x):
            process = GaussianProcessRegressor(process.kernel_, optimizer=None, normalize_y=True).fit(x, y)
    return process


def _optimum(objective: Any, start: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
    """The kernel's parameters of the greatest likelihood, as exactly as cells can tell them."""
    found = optimize.minimize(
        objective, start, method="L-BFGS-B", jac=True, bounds=bounds.tolist(),
        options={"ftol": 1e-4, "maxiter": 50},
    )  # fmt: skip
    return found.x, float(found.fun)


def _predicted(process: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations, a row for each place."""
    mean, sd = process.predict(x, return_std=True)
    return mean.reshape(len(x), -1), sd.reshape(len(x), -1)
