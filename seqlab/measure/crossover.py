"""At which size do two costs cross?"""

import math
from collections.abc import Mapping

from seqlab.errors import UsageError


def crossover(left: Mapping[int, float], right: Mapping[int, float]) -> float | None:
    """The size at which both cost the same, by straight lines on logarithmic axes; None where they never do.

    Both map the same sizes to costs above 0. Where they cross more than once, the last crossing counts:
    beyond it the same one stays cheaper, as far as was measured.
    """
    if left.keys() != right.keys() or min([*left.values(), *right.values()], default=0) <= 0:
        raise UsageError(
            f"expected costs above 0 at the same sizes on both sides, found {dict(left)} and {dict(right)}."
        )
    lead = {size: math.log(left[size] / right[size]) for size in sorted(left)}
    found = None
    for (size, before), (larger, after) in zip(lead.items(), list(lead.items())[1:], strict=False):
        if (before < 0) != (after < 0):
            found = size * (larger / size) ** (before / (before - after))
    return found
