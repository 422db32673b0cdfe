"""Fixtures for the models: a seed, and random parameters."""

from collections.abc import Callable, Iterator

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from jaxtyping import config
from mlx.utils import tree_map


@pytest.fixture(autouse=True)
def _seeded() -> None:
    mx.random.seed(0)


@pytest.fixture
def randomised() -> Callable[[nn.Module], nn.Module]:
    """Fill every parameter with noise, biases too, so that a misplaced block changes the result."""
    rng = np.random.default_rng(0)

    def fill(model: nn.Module) -> nn.Module:
        model.update(
            tree_map(
                lambda old: mx.array(rng.normal(0, 0.5, old.shape).astype(np.float32)), model.parameters()
            )
        )
        return model

    return fill


@pytest.fixture
def as_users_have_it() -> Iterator[None]:
    """Turn off the check of shapes in tests, so that the errors that users get are reached."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
