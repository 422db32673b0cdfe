"""Is a configuration, or a first input, one that the architecture can take? MLX itself often says nothing."""

from collections.abc import Iterable

import mlx.core as mx
import numpy as np

from seqlab.errors import UsageError, unknown


def check_positive(**sizes: int) -> None:
    """Raise `UsageError` unless every size is 1 or more."""
    for name, size in sizes.items():
        if size < 1:
            raise UsageError(f"{name} must be 1 or more, found {size}.")


def check_choice(what: str, choice: str, known: Iterable[str]) -> None:
    """Raise `UsageError` unless `choice` is one of `known`; the nearest is suggested."""
    if choice not in tuple(known):
        raise UsageError(unknown(what, choice, known))


def check_heads(*, width: int, heads: int) -> None:
    """Raise `UsageError` unless `heads` divides `width`."""
    check_positive(width=width, heads=heads)
    if width % heads:
        raise UsageError(
            f"heads must divide width, found {heads} heads and width {width}. Change one of them."
        )


def check_sequence(x: mx.array, *, size: int, length: int | None = None) -> None:
    """Raise `UsageError` unless x is (batch, length ≥ 1, size), of exactly `length` where that is given."""
    if x.ndim != 3 or x.shape[-1] != size:
        raise UsageError(f"expected an input of shape (batch, length, {size}), found {tuple(x.shape)}.")
    if x.shape[1] == 0:
        raise UsageError("the sequence is empty. Give it one step or more.")
    if length is not None and x.shape[1] != length:
        raise UsageError(f"expected sequences of {length} steps, found {x.shape[1]}.")


def check_images(images: mx.array, *, size: int) -> None:
    """Raise `UsageError` unless images are (batch, size, size)."""
    if images.ndim != 3 or tuple(images.shape[1:]) != (size, size):
        raise UsageError(f"expected images of shape (batch, {size}, {size}), found {tuple(images.shape)}.")


def check_tokens(tokens: np.ndarray, vocabulary: int) -> None:
    """Raise `UsageError` unless every id is in [0, vocabulary).

    MLX reads outside a table without complaint and returns garbage, so check data once, before a
    trial: inside a training step it would force an evaluation.
    """
    if tokens.size == 0:
        raise UsageError("there are no tokens. Give one or more.")
    if not np.issubdtype(tokens.dtype, np.integer):
        raise UsageError(f"tokens must be integers, found {tokens.dtype}.")
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= vocabulary:
        raise UsageError(f"tokens must lie in 0 to {vocabulary - 1}, found {low} to {high}.")
