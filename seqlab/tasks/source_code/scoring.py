"""What do networks read of each split, which of its tokens are scored, and of which kind are they?

All of it is the same for every network and seed, so it is computed once a process.
"""

from functools import cache

import numpy as np
from jaxtyping import Bool

from seqlab.tasks.source_code import library, windows
from seqlab.tasks.source_code.coding import Coding, Encoded
from seqlab.tasks.source_code.library import SplitName
from seqlab.tasks.source_code.windows import Windows


@cache
def encoded(coding: Coding, split: SplitName) -> Encoded:
    """A split as networks read it."""
    return coding.encode(library.load().files(split))


@cache
def scored_windows(split: SplitName, context: int, scored: int) -> Windows:
    """Where a split is scored: about `scored` tokens of it; with 0, all of it."""
    return windows.windows(library.load().files(split), length=context, scored=scored or None)


def kinds_of_test_tokens(where: Windows) -> dict[str, Bool[np.ndarray, "K L"]]:
    """Which test tokens are identifiers, keywords, or copies: identifiers that came before in the window."""
    tokens = library.load().test.tokens[where.at]
    kinds = {name: of[tokens] for name, of in library.load().kinds().items()}
    return kinds | {"copies": kinds["identifiers"] & windows.repeated(tokens)}
