"""Which random numbers does a trial start from? Those of its seed, in every global generator."""

import random

import mlx.core as mx
import numpy as np


def seed_all(seed: int) -> None:
    """Seed Python's, NumPy's and MLX's global generators alike; `seed` is below 2³²."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - pages that use the global generator must repeat as well
    mx.random.seed(seed)
