"""By which powers does the loss fall with a model's parameters and with its training data?

    alone       L = c N^-α                    a straight line on logarithmic axes; no floor
    together    L = E + A N^-α + B D^-β       Hoffmann et al. (2022), section 3.3

N counts parameters and D training examples. The floor E is the loss that no model can avoid. A line through
the first form has a smaller α than the second form, the more so the nearer the losses are to the floor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from seqlab.errors import UsageError

FEWEST = 3  # sizes for a line, so that a line need not fit
TERMS = 5  # of the second form
HUBER = 1e-3  # residual of log L beyond which a point counts less, as in Hoffmann et al.
# Starting points of the search: the floor's share of the lowest loss, and both powers.
STARTS = tuple(product((0.1, 0.5, 0.9), (0.1, 0.5), (0.1, 0.5)))


@dataclass(frozen=True)
class Scaling:
    """The second form's five numbers; `floor` has the unit of the loss."""

    floor: float
    of_size: float
    of_data: float
    size_exponent: float
    data_exponent: float

    def loss(self, size: int | float, data: int | float) -> float:
        """The loss of a model with `size` parameters, trained on `data` examples."""
        return float(
            self.floor + self.of_size * size**-self.size_exponent + self.of_data * data**-self.data_exponent
        )


def exponent(losses: Mapping[int, float]) -> float:
    """α of the first form, by least squares on logarithms; `losses` by parameters or by examples."""
    if len(losses) < FEWEST:
        raise UsageError(f"an exponent needs {FEWEST} sizes or more, found {len(losses)}.")
    sizes, found = np.log(list(losses)), np.log(list(losses.values()))
    return -float(np.polyfit(sizes, found, deg=1)[0])


def together(points: Sequence[tuple[float, float, float]]) -> Scaling:
    """Fit the second form to points of (parameters, examples, loss), by Huber's loss on logarithms.

    The search starts from every point of a grid, and the best fit is kept. Needs more points than the form
    has numbers, at three sizes and three amounts of data or more; `UsageError` otherwise.
    """
    from scipy.optimize import least_squares  # 0.4 s to import, which reading the pages must not cost

    sizes, data, losses = np.array(points, dtype=float).reshape(-1, 3).T
    if len(losses) <= TERMS or len(set(sizes)) < FEWEST or len(set(data)) < FEWEST:
        raise UsageError(
            f"a fit of {TERMS} numbers needs more points, at {FEWEST} sizes and {FEWEST} amounts of data or "
            f"more; found {len(losses)} points, {len(set(sizes))} sizes, {len(set(data))} amounts."
        )
    # Relative to the smallest, so that all five numbers are of the same order.
    n, d = np.log(sizes / sizes.min()), np.log(data / data.min())
    lowest = losses.min()

    def misfit(terms: np.ndarray) -> np.ndarray:
        floor, of_size, of_data, alpha, beta = terms
        predicted = floor + of_size * np.exp(-alpha * n) + of_data * np.exp(-beta * d)
        difference: np.ndarray = np.log(np.maximum(predicted, 1e-9)) - np.log(losses)
        return difference

    bounds = ([0, 0, 0, 0, 0], [lowest, np.inf, np.inf, 3, 3])
    fits = []
    for share, *powers in STARTS:
        above = (1 - share) * lowest
        start = (share * lowest, above, above, *powers)
        fits.append(
            least_squares(
                misfit, start, bounds=bounds, loss="huber", f_scale=HUBER, x_scale="jac", max_nfev=1_000
            )
        )
    best = min(fits, key=lambda found: found.cost)
    floor, of_size, of_data, alpha, beta = map(float, best.x)
    return Scaling(
        floor, of_size * float(sizes.min()) ** alpha, of_data * float(data.min()) ** beta, alpha, beta
    )
