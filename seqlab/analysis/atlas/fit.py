"""How are log times fitted? The arithmetic of each network, and Gaussian processes over what it leaves.

What is left is split into its mean over the networks of a cell and each network's deviation from it: whatever
slowed the whole run is in the mean, and only deviations say who is faster. Both are Gaussian processes over
the logarithms of length, width and batch (Rasmussen & Williams, 2006), with a Matérn kernel, a scale for each
axis and noise, found by maximum likelihood (scikit-learn); the deviations share one kernel. Between measured
cells a process follows them, far from them it returns to the arithmetic.
"""

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import optimize

from seqlab.analysis.atlas.cells import Cell
from seqlab.analysis.atlas.roofline import Roofline, fitted

MOST_TUNED = 300  # cells on which a kernel is found


def coordinates(cells: Sequence[Cell]) -> np.ndarray:
    """Each cell's length, width and batch in octaves."""
    return np.asarray(np.log2(np.array([cell.sizes for cell in cells], dtype=float)).reshape(-1, 3))


@dataclass(frozen=True)
class Fitted:
    """Log seconds of each network but for the `mean` that all share; standard deviations beside them."""

    relative: np.ndarray
    mean: np.ndarray
    mean_sd: np.ndarray
    deviation_sd: np.ndarray

    @property
    def sd(self) -> np.ndarray:
        """Of a log time."""
        return np.asarray(np.hypot(self.mean_sd, self.deviation_sd))


@dataclass(frozen=True)
class Fit:
    """The arithmetic of each network, and the two processes over what it leaves."""

    rooflines: Sequence[Roofline]
    mean: Any
    deviations: Any

    @classmethod
    def of(
        cls,
        networks: Sequence[str],
        cells: Sequence[Cell],
        times: np.ndarray,
        *,
        like: tuple[Any, Any] | None = None,
        search: bool = True,
    ) -> "Fit":
        """Fitted to log seconds: with the kernels of another, or searching from there if it may `search`."""
        rooflines = [fitted(name, cells, np.exp(times[:, place])) for place, name in enumerate(networks)]
        left = times - _by_arithmetic(rooflines, cells)
        mean, x, kernels = left.mean(axis=1, keepdims=True), coordinates(cells), like or (None, None)
        processes = [
            _process(x, y, kernel, search=search)
            for y, kernel in zip((mean, left - mean), kernels, strict=True)
        ]
        return cls(rooflines, *processes)

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Of both processes."""
        return self.mean.kernel_, self.deviations.kernel_

    def predict(self, cells: Sequence[Cell]) -> Fitted:
        """Both processes at these cells, on top of the arithmetic."""
        x = coordinates(cells)
        mean, mean_sd = _predicted(self.mean, x)
        deviation, deviation_sd = _predicted(self.deviations, x)
        return Fitted(_by_arithmetic(self.rooflines, cells) + deviation, mean, mean_sd, deviation_sd)


def _by_arithmetic(rooflines: Sequence[Roofline], cells: Sequence[Cell]) -> np.ndarray:
    return np.asarray(np.log([roofline.seconds(cells) for roofline in rooflines]).T)


def _process(x: np.ndarray, y: np.ndarray, kernel: Any = None, *, search: bool = True) -> Any:
    """A Gaussian process through the values of each column of `y`, with one kernel for all columns.

    The `search` for it begins at `kernel`; without one that is the kernel.
    """
    from sklearn.exceptions import ConvergenceWarning  # 1 s to import, which only predictions need
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    if kernel is None:
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * Matern([4.0] * 3, (0.7, 100.0), nu=2.5)
        kernel += WhiteKernel(0.1, (1e-4, 1.0))
    tuned = np.random.default_rng(0).permutation(len(x))[:MOST_TUNED]
    with warnings.catch_warnings(), _one_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a scale at its bound: that axis does not matter
        if search:
            process = GaussianProcessRegressor(kernel, optimizer=_optimum, normalize_y=True)
            kernel = process.fit(x[tuned], y[tuned]).kernel_
        if not search or len(tuned) < len(x):
            process = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True).fit(x, y)
    return process


@cache
def _threads() -> Any:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()  # looking for the libraries takes longer than a fit


def _one_thread() -> AbstractContextManager[Any]:
    """The matrices are small, and on several threads they wait for one another."""
    limited: AbstractContextManager[Any] = _threads().limit(limits=1)
    return limited


def _optimum(objective: Any, start: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
    """The kernel's parameters of the greatest likelihood, as exactly as cells can tell them."""
    found = optimize.minimize(
        objective, start, method="L-BFGS-B", jac=True, bounds=bounds.tolist(),
        options={"ftol": 1e-4, "maxiter": 50},
    )  # fmt: skip
    return found.x, float(found.fun)


def _predicted(process: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations, a row for each place."""
    with _one_thread():
        mean, sd = process.predict(x, return_std=True)
    return mean.reshape(len(x), -1), sd.reshape(len(x), -1)
