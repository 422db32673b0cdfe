"""Greyscale images of ten classes: packaged handwritten digits, or garments, which are fetched once.

| data | train | valid | test | |
|---|---|---|---|---|
| digits | 3,500 | 500 | 1,000 | of MNIST (LeCun et al., 1998), 500 a class |
| fashion | 55,000 | 5,000 | 10,000 | Fashion-MNIST (Xiao et al., 2017); with its own test images |

Every split has equally many images of each class. The digits' test split is the one that scikit-learn's
`train_test_split(test_size=0.2, stratify=y, random_state=0)` draws. It is drawn here with NumPy alone, so
that training needs no scikit-learn. The validation split is drawn from the rest.

Published accuracies on this split of the digits: 3-nearest-neighbours 93.5 %, support vectors 95.4 %,
logistic regression 89.8 %. scikit-learn's defaults give the first two, except that the support vectors
need C=5 (the default C=1 gives 94.7 %). Logistic regression reaches 89.6 % with the default C=1 on train and
valid together, and 89.8 % as done here: C is chosen on valid, and the model fitted on train only, as every
other model is.
"""

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int32, Int64, UInt8

from seqlab.errors import DataError, UsageError, unknown
from seqlab.notebook.artifacts import Matrix, Panel
from seqlab.tasks import downloads, files

CLASSES = 10
SIDE = 28  # pixels
VALID_PER_CLASS, TEST_PER_CLASS = 50, 100  # digits
FASHION_TRAIN, FASHION_VALID_PER_CLASS = 60_000, 500  # of its 60,000 training images
Rows = tuple[Int64[np.ndarray, "train"], Int64[np.ndarray, "valid"], Int64[np.ndarray, "test"]]
# Images, labels, and the rows of the three splits.
Stored = tuple[UInt8[np.ndarray, "N 28 28"], UInt8[np.ndarray, "N"], Rows]


@dataclass(frozen=True)
class LabelledImages:
    """Standardised images with their classes, 0 to 9."""

    images: Float32[np.ndarray, "N 28 28"]
    labels: Int32[np.ndarray, "N"]


@dataclass(frozen=True)
class ImageDataset:
    """The task. `mean` and `std` are those of all training pixels, in [0, 1]; they standardise all images."""

    names: tuple[str, ...]
    train: LabelledImages
    valid: LabelledImages
    test: LabelledImages
    mean: float
    std: float

    def batches(
        self, rng: np.random.Generator, *, batch: int
    ) -> Iterator[tuple[Float32[np.ndarray, "B 28 28"], Int32[np.ndarray, "B"]]]:
        """Training batches without end: each epoch in a new order, without its incomplete last batch."""
        images, labels = self.train.images, self.train.labels
        if not 1 <= batch <= len(labels):
            raise UsageError(f"expected a batch of 1 to {len(labels)} images, found {batch}. Set another.")
        while True:
            order = rng.permutation(len(labels))
            for chosen in np.split(order, range(batch, len(order), batch)):
                if len(chosen) == batch:
                    yield images[chosen], labels[chosen]

    def subset(self, fraction: float, rng: np.random.Generator) -> "ImageDataset":
        """The same task with a fraction of the training images, equally many of each class.

        With equal generators, a smaller fraction is a subset of a larger one. The validation and test splits
        stay the same, and so does the standardisation.
        """
        if not 0 < fraction <= 1:
            raise UsageError(
                f"expected a fraction above 0 and up to 1 of the training images, found {fraction:g}."
            )
        rows = [np.flatnonzero(self.train.labels == label) for label in range(CLASSES)]
        kept = [rng.permutation(of_class)[: max(1, round(fraction * len(of_class)))] for of_class in rows]
        chosen = np.sort(np.concatenate(kept))
        return replace(self, train=LabelledImages(self.train.images[chosen], self.train.labels[chosen]))

    def overlay(
        self, image: Float32[np.ndarray, "28 28"], weights: Float[np.ndarray, "R R"], *, title: str
    ) -> Panel:
        """The image with a weight laid over each of its patches, such as the attention that it receives."""
        over = np.kron(weights, np.ones((SIDE // len(weights), SIDE // len(weights))))
        return Panel(title, _rounded(image * self.std + self.mean), over=_rounded(over))


def load(name: str = "digits", *, seed_of_split: int = 0) -> ImageDataset:
    """Read, split and standardise. Raises `DataError` where a file is missing, altered or unreachable."""
    if name not in SOURCES:
        raise DataError(unknown("data set", name, SOURCES))
    names, read = SOURCES[name]
    stored, classes, (train, valid, test) = read(seed_of_split)
    pixels = stored.astype(np.float32) / 255
    labels = classes.astype(np.int32)
    mean, std = float(pixels[train].mean()), float(pixels[train].std())
    standardised = (pixels - np.float32(mean)) / np.float32(std)
    return ImageDataset(
        names=names,
        train=LabelledImages(standardised[train], labels[train]),
        valid=LabelledImages(standardised[valid], labels[valid]),
        test=LabelledImages(standardised[test], labels[test]),
        mean=mean,
        std=std,
    )


def _digits(seed: int) -> Stored:
    stored = files.arrays("mnist5k.npz")
    return stored["X"], stored["y"], split_rows(stored["y"], seed=seed)


def _fashion(seed: int) -> Stored:
    paths = downloads.fetch("Fashion-MNIST")
    images, labels = (
        np.concatenate([read_idx(paths[f"{part}-{kind}-ubyte.gz"]) for part in ("train", "t10k")])
        for kind in ("images-idx3", "labels-idx1")
    )
    train, valid, _ = split_rows(labels[:FASHION_TRAIN], seed=seed, valid=FASHION_VALID_PER_CLASS, test=0)
    return images, labels, (train, valid, np.arange(FASHION_TRAIN, len(labels)))


GARMENTS = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
# The names of the classes, and the function that reads the images, given the seed of the split.
SOURCES: Mapping[str, tuple[tuple[str, ...], Callable[[int], Stored]]] = {
    "digits": (tuple(map(str, range(CLASSES))), _digits),
    "fashion": (GARMENTS, _fashion),
}


def _rounded(matrix: np.ndarray) -> Matrix:
    """To a thousandth, which is more than a figure shows."""
    return tuple(tuple(round(float(value), 3) for value in row) for row in matrix)


def read_idx(path: Path) -> UInt8[np.ndarray, "..."]:
    """The array of a gzipped IDX file of bytes (LeCun et al., 1998): 0 0 8, axes, their lengths, values."""
    data = gzip.decompress(path.read_bytes())
    axes = data[3]
    shape = np.frombuffer(data, ">u4", count=axes, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def split_rows(
    labels: UInt8[np.ndarray, "N"], *, seed: int, valid: int = VALID_PER_CLASS, test: int = TEST_PER_CLASS
) -> Rows:
    """Row numbers of the three splits, with `valid` and `test` images of each class."""
    legacy = np.random.RandomState(seed)  # the generator that scikit-learn's split uses; its stream is fixed
    by_class = [np.flatnonzero(labels == label) for label in range(CLASSES)]
    shuffled = [rows[legacy.permutation(len(rows))] for rows in by_class]
    parts = [np.split(rows, [len(rows) - test - valid, len(rows) - test]) for rows in shuffled]
    train, held_out, tested = (np.concatenate(part) for part in zip(*parts, strict=True))
    return train, held_out, tested


def logistic_regression(task: ImageDataset) -> dict[str, float]:
    """Validation and test accuracy of multinomial logistic regression on pixels; validation chooses C."""
    from sklearn.linear_model import LogisticRegression  # 1 s to import, and only the baseline needs it
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    def pixels(split: LabelledImages) -> np.ndarray:
        return (split.images * task.std + task.mean).reshape(len(split.labels), -1).astype(np.float64)

    train = pixels(task.train)
    with threadpool_limits(1):  # such small products are slower on two threads than on one
        fitted = [
            LogisticRegression(C=strength, max_iter=1_000).fit(train, task.train.labels)
            for strength in (0.01, 0.1, 1.0)
        ]
    scores = [float(model.score(pixels(task.valid), task.valid.labels)) for model in fitted]
    best = int(np.argmax(scores))
    return {"valid": scores[best], "test": float(fitted[best].score(pixels(task.test), task.test.labels))}
