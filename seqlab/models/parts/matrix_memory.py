"""How is y_t = q_tᵀ S_t with S_t = γ S_{t-1} + k_t v_tᵀ computed, step by step or for all steps at once?

`recurrent` takes one step by the equations. `chunked` takes masked products of queries and keys inside
each chunk and carries S from chunk to chunk by one triangular product, so that no step waits for the one
before. Both go on from any S and are equal up to rounding. γ is one constant a head; S is kept in float32,
since it is a sum over everything read.
"""

import mlx.core as mx
import numpy as np
from jaxtyping import Float

from seqlab.models.parts.scan import chunk_size

Memory = Float[mx.array, "B H K V"]
Rates = Float[np.ndarray, "H"]


def fading(rates: Rates, size: int) -> Float[mx.array, "H S S"]:
    """γ^{t-s} in row t and column s of each head, and zero where s > t."""
    age = np.arange(size)[:, None] - np.arange(size)
    return mx.array(np.where(age >= 0, rates[:, None, None] ** np.maximum(age, 0), 0).astype(np.float32))


def recurrent(
    q: Float[mx.array, "B H 1 K"],
    k: Float[mx.array, "B H 1 K"],
    v: Float[mx.array, "B H 1 V"],
    memory: Memory,
    rates: Rates,
) -> tuple[Float[mx.array, "B H 1 V"], Memory]:
    """One step."""
    memory = mx.array(rates.astype(np.float32))[:, None, None] * memory + k.swapaxes(-1, -2) @ v
    return q @ memory, memory


def chunked(
    q: Float[mx.array, "B H L K"],
    k: Float[mx.array, "B H L K"],
    v: Float[mx.array, "B H L V"],
    memory: Memory,
    rates: Rates,
) -> tuple[Float[mx.array, "B H L V"], Memory]:
    """L steps. A chunk is √L long but not shorter than K, so that the S of all chunks fill no more than v."""
    batch, heads, length, wide = q.shape
    size = min(length, max(chunk_size(length), wide))
    chunks = -(-length // size)
    padding = chunks * size - length  # the padded steps come last, and add k vᵀ = 0
    q, k, v = (
        mx.pad(x, [(0, 0), (0, 0), (0, padding), (0, 0)]).reshape(batch, heads, chunks, size, -1)
        for x in (q, k, v)
    )
    fade = fading(rates, size)[:, None]
    inside = (q @ k.swapaxes(-1, -2) * fade) @ v

    # What each chunk adds to S, faded to its end; the sum starts with the S from before the first chunk.
    added = (k * fade[..., -1, :, None]).swapaxes(-1, -2) @ v
    terms = mx.concatenate([memory[:, :, None], added], axis=2)
    states = (fading(rates**size, chunks + 1) @ terms.flatten(-2)).reshape(terms.shape)
    since_start = mx.array((rates[:, None] ** np.arange(1, size + 1)).astype(np.float32))
    y = inside + (q * since_start[:, None, :, None]) @ states[:, :, :-1]

    # The padded steps faded the last S and must not have.
    last = states[:, :, -1] * mx.array((rates**-padding).astype(np.float32))[:, None, None]
    return y.reshape(batch, heads, chunks * size, -1)[:, :, :length], last
