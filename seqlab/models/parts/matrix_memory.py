"""How is y_t = q_tᵀ S_t with S_t = γ S_{t-1} + k_t v_tᵀ computed, step by step or for all steps in parallel?

`recurrent` computes one step by the equations. `chunked` computes masked products of queries and keys inside
each chunk and carries S from chunk to chunk by one triangular product, so that no step waits for the previous
one. Both continue from any S and give equal results up to rounding. γ is one constant per head. S is float32,
since it is a sum over the whole sequence.
"""

import mlx.core as mx
import numpy as np
from jaxtyping import Float

from seqlab.models.parts.scan import chunk_size

Memory = Float[mx.array, "B H K V"]
Decays = Float[np.ndarray, "H"]


def decay_matrix(decays: Decays, size: int) -> Float[mx.array, "H S S"]:
    """γ^{t-s} in row t and column s of each head, and zero where s > t."""
    age = np.arange(size)[:, None] - np.arange(size)
    return mx.array(np.where(age >= 0, decays[:, None, None] ** np.maximum(age, 0), 0).astype(np.float32))


def recurrent(
    q: Float[mx.array, "B H 1 K"],
    k: Float[mx.array, "B H 1 K"],
    v: Float[mx.array, "B H 1 V"],
    memory: Memory,
    decays: Decays,
) -> tuple[Float[mx.array, "B H 1 V"], Memory]:
    """One step: the output and the new memory."""
    memory = mx.array(decays.astype(np.float32))[:, None, None] * memory + k.swapaxes(-1, -2) @ v
    return q @ memory, memory


def chunked(
    q: Float[mx.array, "B H L K"],
    k: Float[mx.array, "B H L K"],
    v: Float[mx.array, "B H L V"],
    memory: Memory,
    decays: Decays,
) -> tuple[Float[mx.array, "B H L V"], Memory]:
    """L steps: the outputs and the new memory. The length of a chunk is √L, but at least K, so that the S of
    all chunks together are no larger than v.
    """
    batch, heads, length, width = q.shape
    size = min(length, max(chunk_size(length), width))
    chunks = -(-length // size)
    padding = chunks * size - length  # padding comes last and adds k vᵀ = 0
    q, k, v = (
        mx.pad(x, [(0, 0), (0, 0), (0, padding), (0, 0)]).reshape(batch, heads, chunks, size, -1)
        for x in (q, k, v)
    )
    decay = decay_matrix(decays, size)[:, None]
    inside = (q @ k.swapaxes(-1, -2) * decay) @ v

    # What each chunk adds to S by its end; the sum starts with the S before the first chunk.
    added = (k * decay[..., -1, :, None]).swapaxes(-1, -2) @ v
    terms = mx.concatenate([memory[:, :, None], added], axis=2)
    states = (decay_matrix(decays**size, chunks + 1) @ terms.flatten(-2)).reshape(terms.shape)
    since_start = mx.array((decays[:, None] ** np.arange(1, size + 1)).astype(np.float32))
    y = inside + (q * since_start[:, None, :, None]) @ states[:, :, :-1]

    # Undo the decay of the last S over the padding.
    last = states[:, :, -1] * mx.array((decays**-padding).astype(np.float32))[:, None, None]
    return y.reshape(batch, heads, chunks * size, -1)[:, :, :length], last
