"""What are the states of a linear recurrence in double precision? One plain NumPy loop for each kind.

They are the reference that shows whether a scan or a loop in single precision rounds more.
"""

import mlx.core as mx
import numpy as np
from jaxtyping import Float


def double(x: mx.array | np.ndarray) -> np.ndarray:
    """The same numbers in double precision, exactly."""
    return np.array(x, dtype=np.float64)


def gated(a: Float[mx.array, "B L D"], b: Float[mx.array, "B L D"]) -> Float[np.ndarray, "B L D"]:
    """h_t = a_t h_{t-1} + b_t, from zero."""
    factors, terms = double(a), double(b)
    h, states = np.zeros(terms[:, 0].shape), []
    for index in range(terms.shape[1]):
        h = factors[:, index] * h + terms[:, index]
        states.append(h)
    return np.stack(states, axis=1)


def diagonal(
    factor: tuple[Float[mx.array, "N"], Float[mx.array, "N"]],
    b: tuple[Float[mx.array, "N B L"], Float[mx.array, "N B L"]],
) -> Float[np.ndarray, "2 N B L"]:
    """h_t = λ h_{t-1} + b_t, complex, from zero; arguments and result are real and imaginary parts."""
    eigenvalues, terms = (double(pair[0]) + 1j * double(pair[1]) for pair in (factor, b))
    h, states = np.zeros(terms[..., 0].shape, dtype=np.complex128), []
    for index in range(terms.shape[-1]):
        h = eigenvalues[:, None] * h + terms[..., index]
        states.append(h)
    found = np.stack(states, axis=-1)
    return np.stack([found.real, found.imag])


def matrix_memory(
    q: Float[mx.array, "B H L K"], k: Float[mx.array, "B H L K"], v: Float[mx.array, "B H L V"]
) -> Float[np.ndarray, "B H L V"]:
    """y_t = q_tᵀ S_t with S_t = S_{t-1} + k_t v_tᵀ, from zero."""
    queries, keys, values = double(q), double(k), double(v)
    memory, read = np.zeros((*q.shape[:2], q.shape[3], v.shape[3])), []
    for index in range(q.shape[2]):
        memory = memory + keys[:, :, index, :, None] * values[:, :, index, None, :]
        read.append((queries[:, :, index, None, :] @ memory)[:, :, 0])
    return np.stack(read, axis=2)
