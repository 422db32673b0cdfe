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
    """Raise `UsageError` unless x is floating, (batch, length ≥ 1, size), of `length` where that is given."""
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


def check_seen(seen: mx.array, x: mx.array) -> None:
    """Raise `UsageError` unless a padding mask says True or False of every step of x."""
    if seen.dtype != mx.bool_ or seen.shape != x.shape[:2]:
        raise UsageError(
            f"a padding mask must be bool of shape {tuple(x.shape[:2])}, True at real tokens, "
            f"found {seen.dtype} of shape {tuple(seen.shape)}."
        )


def check_images(images: mx.array, *, size: int) -> None:
    """Raise `UsageError` unless images are (batch, size, size)."""
    if images.ndim != 3 or tuple(images.shape[1:]) != (size, size):
        raise UsageError(f"expected images of shape (batch, {size}, {size}), found {tuple(images.shape)}.")


def check_tokens(tokens: np.ndarray, vocabulary: int) -> None:
    """Raise `UsageError` unless every id is in [0, vocabulary).

    MLX reads outside a table without complaint and returns garbage, so check data once, before a
    trial: inside a training step it would force an evaluation.
    """
    check_token_array(tokens)
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= vocabulary:
        raise UsageError(f"tokens must lie in 0 to {vocabulary - 1}, found {low} to {high}.")


def check_token_array(tokens: np.ndarray | mx.array, *, axes: int | None = None) -> None:
    """Raise `UsageError` unless tokens are integers, one or more, with `axes` axes where given.

    Reads shape and dtype alone, so it may stand in a training step.
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
    """`check_tokens` where decoding begins; says nothing while MLX traces, as there are no values then."""
    check_token_array(tokens, axes=2)
    try:
        mx.eval(tokens)
    except ValueError:  # inside mx.compile, mx.vmap or mx.export_function
        return
    check_tokens(np.array(tokens), vocabulary)
