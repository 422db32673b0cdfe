"""Are images rotated and shifted as SciPy does it, each differently, and no further than asked?"""

import numpy as np
import pytest
from scipy import ndimage

from seqlab.errors import UsageError
from seqlab.tasks import augmentation


@pytest.fixture
def images():
    return np.random.default_rng(0).random((5, 9, 9), np.float32)


def test_without_rotation_and_shift_nothing_changes(images):
    found = augmentation.augment(images, np.random.default_rng(0), shift=0.0, turn=0.0)
    np.testing.assert_array_equal(found, images)


def test_rotation_and_shift_equal_those_of_scipy(images):
    found = augmentation.augment(images, np.random.default_rng(1), shift=2.0, turn=30.0)
    draws = np.random.default_rng(1)
    angles = np.deg2rad(draws.uniform(-30, 30, 5))
    offsets = draws.uniform(-2, 2, (2, 5))
    for image, angle, offset, new in zip(images, angles, offsets.T, found, strict=True):
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        expected = ndimage.affine_transform(
            image, matrix, offset=4 - matrix @ [4, 4] - offset, order=1, mode="nearest"
        )
        np.testing.assert_allclose(new, expected, atol=1e-5)


def test_a_dot_moves_no_further_than_asked():
    dots = np.zeros((200, 15, 15), np.float32)
    dots[:, 7, 7] = 1
    found = augmentation.augment(dots, np.random.default_rng(2), shift=2.0, turn=0.0)
    places = np.array([ndimage.center_of_mass(dot) for dot in found]) - 7
    assert np.abs(places).max() <= 2 + 1e-4
    assert np.abs(places).max() > 1.5
    assert len(np.unique(places, axis=0)) == 200
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_the_generator_decides(images):
    one, again, other = (
        augmentation.augment(images, np.random.default_rng(seed), shift=1.0, turn=5.0) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.dtype == np.float32
    assert one.min() >= images.min()
    assert one.max() <= images.max() + 1e-6


@pytest.mark.parametrize(("shift", "turn"), [(-1.0, 0.0), (0.0, -1.0)])
def test_negative_ranges_are_refused(images, shift, turn):
    with pytest.raises(UsageError, match="0 or more"):
        augmentation.augment(images, np.random.default_rng(0), shift=shift, turn=turn)
