"""Files made for the tests."""

import numpy as np

from seqlab.tasks.source_code.library import Files


def files(*sizes, tokens=None):
    starts = np.cumsum([0, *sizes])
    return Files(
        tuple(f"{i}.py" for i in range(len(sizes))),
        np.arange(starts[-1], dtype=np.int32) if tokens is None else np.array(tokens, np.int32),
        starts,
    )
