"""At which look will a cell that is open now likely be decided?

Mean and spread of a few seeds are uncertain themselves, and seeds that "would decide it if they stay as they
are" decide it in only a third of cases. So futures are drawn: a mean and a spread that the values allow
(uniform priors on the mean and on the logarithm of the spread), then the seeds that are still to come. The
first declared look at which most futures decide the cell is the answer.
"""

import numpy as np

from seqlab.analysis.decisions import alpha_at
from seqlab.analysis.intervals import Values, spread
from seqlab.analysis.looks import next_look
from seqlab.analysis.trimmed import TRIM, critical

FUTURES = 500
LIKELY = 0.75  # of the futures: kept in 70 to 99 % of cases from 0.5 deviations on, with 0.6 in 58 to 96 %
MOST_SEEDS = 160  # an effect that needs more is too small to wait for


def likely_look(values: Values, threshold: float, *, cells: int, holm: float) -> int | None:
    """The number of seeds, in all, at the first look that likely decides; None where there is none.

    The cell is one of so many; `holm` is the strictest level of its corrected p-value.
    """
    n = values.size
    if n < 2 or not np.all(np.isfinite(values)) or spread(values) == 0:
        return None
    rng = np.random.default_rng(n)  # always the same futures for the same values
    mean, squares = float(np.mean(values)), float(np.var(values) * n)
    variance = squares / rng.chisquare(n - 1, FUTURES)
    centre = rng.normal(mean, np.sqrt(variance / n))
    look = next_look(n)
    while look <= MOST_SEEDS:
        more = look - n
        coming = rng.normal(centre, np.sqrt(variance / more))
        inside = variance * rng.chisquare(more - 1, FUTURES) if more > 1 else np.zeros(FUTURES)
        total = (n * mean + more * coming) / look
        around = squares + inside + n * more / look * (mean - coming) ** 2
        error = np.sqrt(around / (look - 1) / look)
        freedom = look - 2 * int(TRIM * look) - 1
        if (
            np.mean(np.abs(total - threshold) > critical(freedom, min(alpha_at(look, cells), holm)) * error)
            >= LIKELY
        ):
            return look
        look = next_look(look)
    return None
