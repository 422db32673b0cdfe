"""Are pictures turned and shifted as SciPy does it, each in its own way, and no further than asked?"""

import numpy as np
import pytest
from scipy import ndimage

from seqlab.errors import UsageError
from seqlab.tasks import augmentation


@pytest.fixture
def pictures():
    return np.random.default_rng(0).random((5, 9, 9), np.float32)


def test_nothing_asked_is_nothing_done(pictures):
    found = augmentation.moved(pictures, np.random.default_rng(0), shift=0.0, turn=0.0)
    np.testing.assert_array_equal(found, pictures)


def test_turned_and_shifted_as_scipy_does_it(pictures):
    found = augmentation.moved(pictures, np.random.default_rng(1), shift=2.0, turn=30.0)
    draws = np.random.default_rng(1)
    angles = np.deg2rad(draws.uniform(-30, 30, 5))
    offsets = draws.uniform(-2, 2, (2, 5))
    for picture, angle, offset, new in zip(pictures, angles, offsets.T, found, strict=True):
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        expected = ndimage.affine_transform(
            picture, matrix, offset=4 - matrix @ [4, 4] - offset, order=1, mode="nearest"
        )
        np.testing.assert_allclose(new, expected, atol=1e-5)


def test_a_dot_moves_no_further_than_asked():
    dots = np.zeros((200, 15, 15), np.float32)
    dots[:, 7, 7] = 1
    found = augmentation.moved(dots, np.random.default_rng(2), shift=2.0, turn=0.0)
    places = np.array([ndimage.center_of_mass(dot) for dot in found]) - 7
    assert np.abs(places).max() <= 2 + 1e-4
    assert np.abs(places).max() > 1.5
    assert len(np.unique(places, axis=0)) == 200
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_the_generator_decides(pictures):
    one, again, other = (
        augmentation.moved(pictures, np.random.default_rng(seed), shift=1.0, turn=5.0) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.dtype == np.float32
    assert one.min() >= pictures.min()
    assert one.max() <= pictures.max() + 1e-6


@pytest.mark.parametrize(("shift", "turn"), [(-1.0, 0.0), (0.0, -1.0)])
def test_less_than_nothing_is_refused(pictures, shift, turn):
    with pytest.raises(UsageError, match="0 or more"):
        augmentation.moved(pictures, np.random.default_rng(0), shift=shift, turn=turn)
