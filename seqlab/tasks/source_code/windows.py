"""At which tokens of a split is every model scored?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, Int64

from seqlab.errors import UsageError
from seqlab.tasks.source_code.coding import Encoded
from seqlab.tasks.source_code.library import Files


@dataclass(frozen=True, eq=False)
class Windows:
    """Where a split is scored: positions [K L] in it, and at which of them.

    A file's first window is scored whole, the others in their second half, so that except at a file's
    beginning every prediction has half a window of context or more. What lies beyond a file's end is not
    scored.
    """

    at: Int64[np.ndarray, "K L"]
    scored: Bool[np.ndarray, "K L"]


def windows(files: Files | Encoded, *, length: int, scored: int | None = None) -> Windows:
    """Windows over a split, evenly spread so that about `scored` tokens count; None scores every token."""
    if length < 2:
        raise UsageError(f"expected windows of 2 tokens or more, found {length}. Set another length.")
    half = length // 2
    begins, ends, first = [], [], []
    for begin, end in zip(files.starts[:-1], files.starts[1:], strict=True):
        own = np.arange(begin, max(begin + 1, end - length + half), half)
        begins.append(own)
        ends.append(np.full(len(own), end))
        first.append(own == begin)
    at = np.concatenate(begins)[:, None] + np.arange(length)
    end, whole = np.concatenate(ends)[:, None], np.concatenate(first)[:, None]
    counts = (at < end) & (whole | (np.arange(length) >= length - half))
    if scored is not None and scored < counts.sum():
        wanted = max(1, round(len(at) * scored / counts.sum()))
        some = np.linspace(0, len(at) - 1, wanted).round().astype(int)
        at, counts, end = at[some], counts[some], end[some]
    return Windows(np.minimum(at, end - 1), counts)


def repeated(tokens: Int32[np.ndarray, "K L"]) -> Bool[np.ndarray, "K L"]:
    """Whether each token has come before it in its window."""
    before = [(tokens[:, :i] == tokens[:, i, None]).any(axis=1) for i in range(tokens.shape[1])]
    return np.stack(before, axis=1)
