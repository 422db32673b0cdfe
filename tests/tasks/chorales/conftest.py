"""All chorales, and one bar that a test can check by hand."""

import numpy as np
import pytest

from seqlab.tasks.chorales import dataset
from seqlab.tasks.chorales.chorale import Chorale


@pytest.fixture(scope="session")
def music():
    return dataset.load()


@pytest.fixture
def bar():
    """Two voices move, one rests, one holds."""
    pitch = [[72, 67, 0, 48], [72, 67, 0, 48], [74, 67, 55, 48], [74, 65, 55, 48]]
    onset = [[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]]
    return Chorale("bar", np.array(pitch, np.uint8), np.array(onset, bool))
