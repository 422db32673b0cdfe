"""How is one training picture made many? It is turned and shifted a little, and stays what it was.

As Simard et al. (2003) did with digits, but without their elastic bending.
"""

import numpy as np
from jaxtyping import Float32

from seqlab.errors import UsageError


def moved(
    pictures: Float32[np.ndarray, "B S S"], rng: np.random.Generator, *, shift: float, turn: float
) -> Float32[np.ndarray, "B S S"]:
    """Each picture turned about its centre by up to `turn` degrees and shifted by up to `shift` pixels.

    Both are uniform, to either side; a shift has its two directions drawn apart. Values between pixels are
    interpolated in both directions, and beyond the edge those of the edge go on.
    """
    if shift < 0 or turn < 0:
        raise UsageError(f"shift and turn must be 0 or more, found {shift:g} pixels and {turn:g} degrees.")
    count, side, _ = pictures.shape
    angles = np.deg2rad(rng.uniform(-turn, turn, (count, 1)))
    down, right = rng.uniform(-shift, shift, (2, count, 1))
    middle = (side - 1) / 2
    rows, columns = np.indices((side, side)).reshape(2, 1, -1) - middle
    # Where each pixel of the new picture lies in the old one.
    y = np.clip(np.cos(angles) * rows - np.sin(angles) * columns - down + middle, 0, side - 1)
    x = np.clip(np.sin(angles) * rows + np.cos(angles) * columns - right + middle, 0, side - 1)
    top, left = np.minimum(y.astype(int), side - 2), np.minimum(x.astype(int), side - 2)
    dy, dx = (y - top).astype(np.float32), (x - left).astype(np.float32)
    flat = pictures.reshape(-1)
    at = np.arange(count)[:, None] * side**2 + top * side + left
    upper = flat[at] * (1 - dx) + flat[at + 1] * dx
    lower = flat[at + side] * (1 - dx) + flat[at + side + 1] * dx
    new: np.ndarray = upper * (1 - dy) + lower * dy
    return new.reshape(pictures.shape)
