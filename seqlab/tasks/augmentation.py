"""How does one training image become many? By small rotations and shifts, which keep its class.

Simard et al. (2003) did so with digits; their elastic distortion is left out.
"""

import numpy as np
from jaxtyping import Float32

from seqlab.errors import UsageError


def augment(
    images: Float32[np.ndarray, "B S S"], rng: np.random.Generator, *, shift: float, turn: float
) -> Float32[np.ndarray, "B S S"]:
    """Rotate each image about its centre by up to `turn` degrees, and shift it by up to `shift` pixels.

    Angles and shifts are uniform in both directions; a vertical and a horizontal shift are drawn. Values
    between pixels are interpolated bilinearly, and pixels outside the image have the values of its edge.
    """
    if shift < 0 or turn < 0:
        raise UsageError(f"shift and turn must be 0 or more, found {shift:g} pixels and {turn:g} degrees.")
    count, side, _ = images.shape
    angles = np.deg2rad(rng.uniform(-turn, turn, (count, 1)))
    down, right = rng.uniform(-shift, shift, (2, count, 1))
    middle = (side - 1) / 2
    rows, columns = np.indices((side, side)).reshape(2, 1, -1) - middle
    # The position of each pixel of the new image in the old one.
    y = np.clip(np.cos(angles) * rows - np.sin(angles) * columns - down + middle, 0, side - 1)
    x = np.clip(np.sin(angles) * rows + np.cos(angles) * columns - right + middle, 0, side - 1)
    top, left = np.minimum(y.astype(int), side - 2), np.minimum(x.astype(int), side - 2)
    dy, dx = (y - top).astype(np.float32), (x - left).astype(np.float32)
    flat = images.reshape(-1)
    at = np.arange(count)[:, None] * side**2 + top * side + left
    upper = flat[at] * (1 - dx) + flat[at + 1] * dx
    lower = flat[at + side] * (1 - dx) + flat[at + side + 1] * dx
    new: np.ndarray = upper * (1 - dy) + lower * dy
    return new.reshape(images.shape)
