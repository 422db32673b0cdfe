"""Checks of configurations and inputs, for errors that MLX itself often does not report."""

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
    """Raise `UsageError` unless `choice` is one of `known`; the error suggests the nearest."""
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
    """Raise `UsageError` unless x is floating-point, (batch, length ≥ 1, size); `length` fixes the length."""
    if not mx.issubdtype(x.dtype, mx.floating):
        raise UsageError(
            f"expected floating-point numbers, found {x.dtype}. Convert with astype(mx.float32)."
        )
    if x.ndim != 3 or x.shape[-1] != size:
        raise UsageError(f"expected an input of shape (batch, length, {size}), found {tuple(x.shape)}.")
    if x.shape[1] == 0:
        raise UsageError("the sequence is empty. Give it one step or more.")
    if length is not None and x.shape[1] != length:
        raise UsageError(f"expected sequences of {length} steps, found {x.shape[1]}.")


def check_mask(mask: mx.array, x: mx.array) -> None:
    """Raise `UsageError` unless a padding mask has a True or False for every step of x."""
    if mask.dtype != mx.bool_ or mask.shape != x.shape[:2]:
        raise UsageError(
            f"a padding mask must be bool of shape {tuple(x.shape[:2])}, True at real tokens, "
            f"found {mask.dtype} of shape {tuple(mask.shape)}."
        )


def check_images(images: mx.array, *, size: int) -> None:
    """Raise `UsageError` unless images are (batch, size, size)."""
    if images.ndim != 3 or tuple(images.shape[1:]) != (size, size):
        raise UsageError(f"expected images of shape (batch, {size}, {size}), found {tuple(images.shape)}.")


def check_tokens(tokens: np.ndarray, vocabulary: int) -> None:
    """Raise `UsageError` unless every token id is in [0, vocabulary).

    MLX reads outside an embedding table without an error and returns garbage. Check data once, before a
    trial: inside a training step the check would force an evaluation.
    """
    check_token_array(tokens)
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= vocabulary:
        raise UsageError(f"tokens must lie in 0 to {vocabulary - 1}, found {low} to {high}.")


def check_token_array(tokens: np.ndarray | mx.array, *, axes: int | None = None) -> None:
    """Raise `UsageError` unless tokens are integers, one or more, with `axes` axes if given.

    Uses shape and dtype only, so it can be part of a training step.
    """
    if axes is not None and tokens.ndim != axes:
        shape = "(batch, length)" if axes == 2 else "(batch,)"
        raise UsageError(f"expected tokens of shape {shape}, found {tuple(tokens.shape)}.")
    if tokens.size == 0:
        raise UsageError("there are no tokens. Give one or more.")
    if isinstance(tokens, mx.array):
        whole = mx.issubdtype(tokens.dtype, mx.integer)
    else:
        whole = np.issubdtype(tokens.dtype, np.integer)
    if not whole:
        raise UsageError(f"tokens must be integers, found {tokens.dtype}.")


def check_prompt(tokens: mx.array, vocabulary: int) -> None:
    """`check_tokens` where decoding starts; skipped while MLX traces, when there are no values."""
    check_token_array(tokens, axes=2)
    try:
        mx.eval(tokens)
    except ValueError:  # inside mx.compile, mx.vmap or mx.export_function
        return
    check_tokens(np.array(tokens), vocabulary)
