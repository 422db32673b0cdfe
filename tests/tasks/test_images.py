"""Are the splits and the baseline the published ones, without leaks, and are fractions nested?"""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.errors import DataError, UsageError
from seqlab.tasks import downloads, files, images


@pytest.fixture(scope="module")
def task():
    return images.load()


@pytest.fixture(scope="module")
def labels():
    return files.arrays("mnist5k.npz")["y"]


def test_splits_are_disjoint_and_complete(labels):
    rows = np.concatenate(images.split_rows(labels, seed=0))
    assert sorted(rows) == list(range(5_000))


def test_splits_are_stratified(task):
    for split, of_each in ((task.train, 350), (task.valid, 50), (task.test, 100)):
        assert np.bincount(split.labels).tolist() == [of_each] * 10


def test_no_image_is_in_two_splits(task):
    seen = [{image.tobytes() for image in split.images} for split in (task.train, task.valid, task.test)]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_the_test_split_is_scikit_learns(labels):
    from sklearn.model_selection import train_test_split

    for seed in (0, 3):
        rows = np.arange(len(labels))
        _, expected = train_test_split(rows, test_size=0.2, stratify=labels, random_state=seed)
        assert set(images.split_rows(labels, seed=seed)[2]) == set(expected)


def test_scaling_is_fitted_on_train_only(task):
    assert task.train.images.mean() == pytest.approx(0, abs=1e-4)
    assert task.train.images.std() == pytest.approx(1, abs=1e-4)
    assert task.test.images.mean() != pytest.approx(0, abs=1e-4)


def test_images_keep_their_labels(task, labels):
    """Undo the scaling, and find each test image in the file again."""
    pixels = np.rint((task.test.images * task.std + task.mean) * 255).astype(np.uint8)
    label_of = dict(zip((image.tobytes() for image in files.arrays("mnist5k.npz")["X"]), labels, strict=True))
    assert [label_of[image.tobytes()] for image in pixels] == task.test.labels.tolist()


@pytest.mark.slow
def test_logistic_regression_is_the_published_figure(task):
    # Published: 0.898, which this gives on one BLAS. Another may turn a close call or two of the 1,000.
    found = images.logistic_regression(task)
    assert found["test"] == pytest.approx(0.898, abs=0.002)
    assert found["valid"] == pytest.approx(found["test"], abs=0.05)


def test_batches_repeat_with_the_generator_and_cover_an_epoch(task):
    def draw(seed, count):
        batches = task.batches(np.random.default_rng(seed), batch=500)
        return [next(batches) for _ in range(count)]

    first, again, other = draw(1, 8), draw(1, 8), draw(2, 8)
    assert all(
        np.array_equal(a, b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True)
    )
    assert not np.array_equal(first[0][1], other[0][1])
    epoch = {image.tobytes() for batch, _ in first[:7] for image in batch}
    assert epoch == {image.tobytes() for image in task.train.images}
    assert first[0][0].shape == (500, 28, 28)
    assert first[0][0].dtype == np.float32


@pytest.mark.parametrize("batch", [0, 3_501])
def test_a_batch_that_cannot_be_filled_is_refused(task, batch):
    with pytest.raises(UsageError, match="1 to 3500"):
        next(task.batches(np.random.default_rng(0), batch=batch))


@settings(max_examples=8, deadline=None)
@given(small=st.floats(0.001, 1), large=st.floats(0.001, 1), seed=st.integers(0, 2**32 - 1))
def test_fractions_are_nested_and_balanced(task, small, large, seed):
    small, large = sorted((small, large))
    few, many = (task.subset(fraction, np.random.default_rng(seed)).train for fraction in (small, large))
    for part, fraction in ((few, small), (many, large)):
        assert np.bincount(part.labels).tolist() == [max(1, round(350 * fraction))] * 10
    assert {image.tobytes() for image in few.images} <= {image.tobytes() for image in many.images}


def test_a_fraction_takes_nothing_from_validation_and_test(task):
    some = task.subset(0.1, np.random.default_rng(3))
    assert some.valid is task.valid
    assert some.test is task.test
    label_of = {
        image.tobytes(): label for image, label in zip(task.train.images, task.train.labels, strict=True)
    }
    assert [label_of[image.tobytes()] for image in some.train.images] == some.train.labels.tolist()


def test_other_seeds_draw_other_images_and_a_fraction_of_one_is_everything(task):
    one, other = (task.subset(0.01, np.random.default_rng(seed)).train.images for seed in (0, 1))
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(task.subset(1.0, np.random.default_rng(5)).train.images, task.train.images)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01])
def test_an_impossible_fraction_is_refused(task, fraction):
    with pytest.raises(UsageError, match=r"above 0 and up to 1.*found"):
        task.subset(fraction, np.random.default_rng(0))


def test_an_overlay_has_the_pixels_and_a_weight_for_each_patch(task):
    weights = np.arange(16, dtype=np.float32).reshape(4, 4) / 4
    panel = task.overlay(task.test.images[0], weights, title="7")
    pixels = task.test.images[0] * task.std + task.mean
    np.testing.assert_allclose(panel.matrix, pixels, atol=5e-4)
    over = np.array(panel.over)
    assert over.shape == (28, 28)
    for row in range(4):
        for column in range(4):
            patch = over[7 * row : 7 * row + 7, 7 * column : 7 * column + 7]
            assert (patch == weights[row, column]).all()


def idx(array):
    """Bytes as an IDX file has them."""
    return gzip.compress(
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    )


@pytest.fixture
def garments(monkeypatch, tmp_path):
    """A small Fashion-MNIST: the first two pixels of each image say which it is."""
    monkeypatch.setattr(images, "FASHION_TRAIN", 80)
    monkeypatch.setattr(images, "FASHION_VALID_PER_CLASS", 2)
    paths = {}
    for part, count in (("train", 80), ("t10k", 20)):
        pixels = np.zeros((count, 28, 28), np.uint8)
        pixels[:, 0, 0], pixels[:, 0, 1] = np.arange(count), 200 if part == "train" else 100
        for kind, array in (("images-idx3", pixels), ("labels-idx1", np.arange(count, dtype=np.uint8) % 10)):
            name = f"{part}-{kind}-ubyte.gz"
            paths[name] = tmp_path / name
            paths[name].write_bytes(idx(array))
    monkeypatch.setattr(downloads, "fetch", lambda name: paths if name == "Fashion-MNIST" else {})


def test_garments_keep_their_own_test_images(garments):
    task = images.load("fashion")
    assert [len(part.labels) for part in (task.train, task.valid, task.test)] == [60, 20, 20]
    for part, mark in ((task.train, 200), (task.valid, 200), (task.test, 100)):
        pixels = np.rint((part.images * task.std + task.mean) * 255)
        assert set(pixels[:, 0, 1]) == {mark}
        assert (pixels[:, 0, 0] % 10 == part.labels).all()
        assert len(set(np.bincount(part.labels))) == 1
    seen = [{image.tobytes() for image in part.images} for part in (task.train, task.valid)]
    assert not seen[0] & seen[1]
    assert task.train.images.mean() == pytest.approx(0, abs=1e-4)
    assert len(task.names) == 10


def test_garments_without_a_network_are_one_clear_line(monkeypatch, tmp_path):
    requests = pytest.importorskip("requests")

    def unreachable(*_, **__):
        raise requests.ConnectionError("no route")

    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    monkeypatch.setattr(requests, "get", unreachable)
    with pytest.raises(DataError, match="Run again with a network") as caught:
        images.load("fashion")
    assert "\n" not in str(caught.value)


def test_an_unknown_data_set_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'fashion'"):
        images.load("fashon")
