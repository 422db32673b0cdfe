"""Do devices agree on the effect of a rule? A test of heterogeneity, beside the verdict of one device.

Seeds of two devices are never in one interval: a verdict rests on the runs of one device. Where the store has
runs of the same trials by others, as after `seqlab results merge`, their effects are compared, cell by cell.
Under the hypothesis that devices agree, which device a seed ran on is a matter of chance. So the p-value is
the share of all ways to deal the effects out to devices under which their means lie as far apart (the sum of
squares between devices). It assumes nothing of the noise; Bonferroni's correction covers the cells. Cochran's
Q, which takes the standard errors for known, raises 4 to 20 % false alarms at 5 % with five seeds a device,
and more where seeds solve a task or not (docs/verdicts.md); only its I² is told, as the share of the scatter
that is between devices.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seqlab.analysis.cells import Effects
from seqlab.analysis.intervals import LEVEL, Values
from seqlab.analysis.kinds import ROUNDING
from seqlab.notebook.claims import Agreement, Rule
from seqlab.notebook.figures import Level

DEALS = 9_999  # ways that are drawn, beside the one that was found


def agreement(rule: Rule, found: Mapping[str, Sequence[Effects]]) -> Agreement | None:
    """Whether the devices, by name, agree in the cells that each has measured with the rule's seeds.

    None where fewer than two have such a cell, or its values are exact.
    """
    cells: dict[tuple[tuple[str, Level], ...], dict[str, Effects]] = {}
    for device, effects in found.items():
        for effect in effects:
            if not effect.missing and not effect.exact and len(effect.seeds) >= max(2, rule.seeds):
                cells.setdefault(tuple(effect.levels.items()), {})[device] = effect
    shared = {levels: by_device for levels, by_device in cells.items() if len(by_device) > 1}
    if not shared:
        return None
    tested = {
        levels: p_value([effect.values for effect in by_device.values()])
        for levels, by_device in shared.items()
    }
    least = min(tested, key=tested.__getitem__)
    values = [effect.values for effect in shared[least].values()]
    return Agreement(
        p_value=min(1.0, len(shared) * tested[least]),
        inconsistency=inconsistency(values),
        level=1 - LEVEL,
        effects={device: _told(effect) for device, effect in shared[least].items()},
        seeds={device: len(effect.seeds) for device, effect in shared[least].items()},
        cell=dict(least),
    )


def p_value(groups: Sequence[Values]) -> float:
    """That the values of all groups come from one distribution, by the distances of the groups' means."""
    values, sizes = np.concatenate(groups), [group.size for group in groups]
    if np.ptp(values) <= ROUNDING * np.max(np.abs(values)):
        return 1.0
    values = (values - values.mean()) / values.std()
    deals = np.random.default_rng(0).permuted(np.tile(values, (DEALS, 1)), axis=1)
    as_far = _between(deals, sizes) >= _between(values[None], sizes)[0] * (1 - 1e-9)
    return float((1 + as_far.sum()) / (1 + DEALS))


def _between(values: NDArray[np.float64], sizes: Sequence[int]) -> NDArray[np.float64]:
    """The sum of squares between groups of these sizes, a row at a time; each row has the mean 0."""
    starts = np.cumsum([0, *sizes[:-1]])
    return np.asarray((np.add.reduceat(values, starts, axis=1) ** 2 / sizes).sum(axis=1))


def cochran(groups: Sequence[Values]) -> float:
    """Cochran's Q: the weighted squares of the distances of the groups' means from their common one."""
    variances = np.array([group.var(ddof=1) / group.size for group in groups])
    means = np.array([group.mean() for group in groups])
    if not variances.all():
        return math.inf if np.ptp(means) else 0.0
    common = np.average(means, weights=1 / variances)
    return float(((means - common) ** 2 / variances).sum())


def inconsistency(groups: Sequence[Values]) -> float:
    """I²: the share of the scatter of the means that chance within groups does not account for."""
    q = cochran(groups)
    return max(0.0, 1 - (len(groups) - 1) / q) if q else 0.0


def _told(effect: Effects) -> float:
    return float(np.exp(effect.values.mean()) if effect.log else effect.values.mean())
