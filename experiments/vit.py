"""Is a Vision Transformer better than the networks made for images?

A Vision Transformer cuts an image into square patches and treats them as a sequence [@dosovitskiy2021vit]. It
has no built-in notion of locality, as a convolutional network has, and must learn it from data. Its authors
found it less accurate than convolutional networks until the training set was very large. So every model here
trains on all training images and on ever smaller fractions of them, down to one per cent. Smaller fractions
are subsets of larger ones, have equally many images of each class, and are the same for all models of a seed.

The other models are a small convolutional network, an LSTM that reads the image row by row, and logistic
regression on the pixels. A Vision Transformer whose tokens come from convolutions, after the compact
Transformers of @hassani2021escaping, separates the effect of the patches from that of attention. All networks
have equally many parameters, images and learning rates tried, and the same limit of training steps. The
convolutional network is the control for the statement that Transformers owe their success to parallel
processing, since it is equally parallel.

The data are five thousand handwritten digits of MNIST. A fifth of them is the test split. A tenth is the
validation split, the same for every fraction; it chooses the best weights, even where only forty images are
left to train on. The full budget adds Fashion-MNIST [@xiao2017fashion], seventy thousand images of garments,
which are downloaded once; at the other budgets `--set data=fashion` does the same. The networks train on
images that are slightly rotated and shifted, differently each time, as has long been done with digits
[@simard2003best]. Each trains until a quarter of its training has brought no further validation image, or to
the limit of steps that all share.

The attention map is a rollout, drawn as its authors did [@abnar2020quantifying]. Each layer's attention is
averaged over heads and mixed half and half with the residual stream, which hands a token on unchanged. The
product over layers ends in the mean of all tokens, which this network classifies. It shows which patches
could have contributed to the answer, and does not prove that the network answers because of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.classification import accuracy
from seqlab.measure.flops import training_step_flops
from seqlab.models import image_classifiers, vit
from seqlab.models.image_classifiers import CLASSIFIERS, CNN, LSTM, STEM, VIT, Size
from seqlab.models.parts.losses import cross_entropy
from seqlab.notebook import (
    Artifact,
    Budget,
    Claim,
    Difference,
    Experiment,
    Measurement,
    Panel,
    Point,
    Trial,
    Tuning,
    grid,
)
from seqlab.notebook.figures import Curve, ImageGrid, Interval, Table, Tradeoff
from seqlab.tasks import augmentation, images
from seqlab.training import Batch, TriedRates, train

LOGISTIC = "logistic regression"
RATES = TriedRates.beside(__file__)
MIN_GAIN = 1 / 400  # one image of the validation split
MAPPED = (2, 3, 4, 5, 7, 8)  # the classes with an attention map: one test image each


@cache  # read once a process
def task(data: str) -> images.ImageDataset:
    """All images of a data set."""
    return images.load(data)


def subset(data: str, fraction: float, seed: int) -> images.ImageDataset:
    """The task with a fraction of the training images: the same for all models of a seed."""
    return task(data).subset(fraction, np.random.default_rng(seed))


@dataclass(frozen=True)
class Recipe:
    """Train one network to classify images from a fraction of them, augmented where asked."""

    data: str
    model: str
    fraction: float
    steps: int
    batch: int
    width: int
    depth: int
    patch: int
    shift: float  # pixels
    turn: float  # degrees

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A network, and its training batches."""
        size = Size(self.width, self.depth, self.patch)
        return image_classifiers.build(self.model, size, seed=seed), self.batches(seed)

    def batches(self, seed: int) -> Iterator[Batch]:
        """Training batches without end, the same for every network."""
        some = subset(self.data, self.fraction, seed)
        order, moves = np.random.default_rng((seed, 1)), np.random.default_rng((seed, 2))
        for batch, labels in some.batches(order, batch=min(self.batch, len(some.train.labels))):
            if self.shift or self.turn:
                batch = augmentation.augment(batch, moves, shift=self.shift, turn=self.turn)
            yield mx.array(batch), mx.array(labels)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of the class, in nats."""
        pixels, labels = batch
        return cross_entropy(model(pixels), labels)

    def validate(self, model: nn.Module) -> Iterable[Measurement]:
        """Accuracy on the validation images, which are the same for every fraction."""
        valid = task(self.data).valid
        return [Measurement("accuracy", accuracy(model, valid.images, valid.labels), "valid")]


@cache  # the same for every seed
def step_flops(recipe: Recipe) -> int:
    """The floating-point operations of a training step."""
    model, batches = recipe.start(0)
    return training_step_flops(model, recipe.loss, *next(batches))


def attention_maps(model: vit.Model, data: str) -> Iterator[Panel]:
    """Attention rollout, relative to an even share, over a test image of each class in MAPPED."""
    test, names = task(data).test, task(data).names
    for label in MAPPED:
        image = test.images[np.flatnonzero(test.labels == label)[0]]
        batch = mx.array(image[None])
        relative = np.array(vit.attention_map(model, batch)[0])
        predicted = names[int(mx.argmax(model(batch)))]
        title = names[label] if predicted == names[label] else f"{names[label]}, read as {predicted}"
        yield task(data).overlay(image, relative, title=title)


def run(trial: Trial) -> Iterator[Measurement | Artifact]:
    """Train one model on a fraction of the images, keep the weights that validate best, test once."""
    data, name, fraction = trial["data"], trial["model"], trial["fraction"]
    some = subset(data, fraction, trial.seed)
    yield Measurement("train_examples", len(some.train.labels))
    if name == LOGISTIC:
        for split, value in images.logistic_regression(some).items():
            yield Measurement("accuracy", value, split)
        yield Measurement("parameters", (images.SIDE**2 + 1) * images.CLASSES)
        return
    recipe = trial.fill(Recipe)
    model = yield from train(trial, recipe, RATES, min_gain=MIN_GAIN)
    yield Measurement("accuracy", accuracy(model, some.test.images, some.test.labels), "test")
    yield Measurement("step_flops", step_flops(recipe))
    if isinstance(model, vit.Model) and name == VIT and fraction == 1:
        yield Artifact.images("attention", tuple(attention_maps(model, data)))


def points(data: str | tuple[str, ...], fractions: tuple[float, ...], *, seeds: int) -> tuple[Point, ...]:
    """The ViT, its control and logistic regression, which on all images is the same for every seed."""
    few = tuple(fraction for fraction in fractions if fraction < 1)
    return (
        grid(data=data, model=(VIT, CNN), fraction=fractions, seeds=seeds)
        + grid(data=data, model=LOGISTIC, fraction=few, seeds=seeds)
        + grid(data=data, model=LOGISTIC, fraction=1.0)
    )


DATA = ("digits", "fashion")
FRACTIONS = (0.01, 0.1, 1.0)
CHANCE = {"chance": 0.1}

more_accurate = partial(
    Difference, metric="accuracy", split="test", per=("data", "fraction"), along="fraction",
    left={"model": VIT}, above=0.01,
)  # fmt: skip

experiment = Experiment(
    chapter=19,
    parallel_over=("data", "model", "fraction"),
    run=run,
    protocol={
        "steps": 4_000, "evaluations": 40, "batch": 64, "width": 48, "depth": 2, "patch": 7, "shift": 2.0,
        "turn": 10.0, "rate": 0.0,
    },
    tuning=Tuning(
        grid(data="digits", model=(VIT, CNN, LSTM), fraction=FRACTIONS)
        + grid(data="digits", model=STEM, fraction=1.0),
        by=("model", "fraction"),
        settings={"steps": 750, "evaluations": 8},
    ),
    budgets=(
        Budget(
            "smoke",
            grid(data="digits", model=CLASSIFIERS, fraction=1.0, seeds=2)
            + grid(data="digits", model=LOGISTIC, fraction=0.01, seeds=2),
            {"steps": 10, "evaluations": 2, "batch": 32, "width": 32, "rate": 0.01},
            timeout=120,
        ),
        Budget(
            "quick",
            points("digits", FRACTIONS, seeds=5)
            + grid(data="digits", model=LSTM, fraction=FRACTIONS, seeds=5)
            + grid(data="digits", model=STEM, fraction=1.0, seeds=5),  # no claim is about it
            timeout=1_200,
        ),
        Budget(
            "full",
            points(DATA, FRACTIONS, seeds=10)
            + grid(data=DATA, model=LSTM, fraction=FRACTIONS, seeds=10)
            + grid(data=DATA, model=STEM, fraction=1.0, seeds=10),
            timeout=3_600,
        ),
    ),
    claims=(
        Claim(
            "C38",
            more_accurate(
                right=tuple({"model": name} for name in (CNN, LSTM, LOGISTIC)),
                matched=("examples",),  # logistic regression has one size; C44 matches the rest
            ),
            "Trained on the same images, all of them or a fraction, the Vision Transformer is at least one "
            "percentage point more accurate than the best other model, logistic regression included.",
        ),
        Claim(
            "C44",
            more_accurate(right={"model": CNN}, matched=("parameters", "steps", "examples", "tuning")),
            "At equal parameters, images (all of them or a fraction) and limit of training steps, attention "
            "is at least one percentage point more accurate than a convolutional network, which is equally "
            "parallel.",
        ),
    ),
    figures=(
        Interval(
            x="accuracy", y="model", columns="data", split="test", where={"fraction": 1.0}, guides=CHANCE,
            caption="Test accuracy of each model, trained on all training images.",
        ),
        Curve(
            x="fraction", y="accuracy", hue="model", columns="data", split="test", x_scale="log10",
            guides=CHANCE,
            caption="Test accuracy by the fraction of the training images.",
        ),
        Table(
            rows=("data", "model"), columns="fraction", split="test", metrics=("accuracy",),
            caption="Test accuracy by the fraction of the training images.",
        ),
        Table(
            rows=("data",), columns="fraction", metrics=("train_examples",),
            caption="Number of training images of each fraction.",
        ),
        Curve(
            x="step", y="accuracy", hue="model", columns="data", split="valid", where={"fraction": 1.0},
            guides=CHANCE,
            caption="Validation accuracy during training on all training images.",
        ),
        ImageGrid(
            artifact="attention", by=("data",), where={"model": VIT, "fraction": 1.0},
            caption="Attention rollout of the Vision Transformer on test images: how much each patch "
            "contributes, relative to an even share. Titles give the class, and the predicted class where it "
            "differs.",
        ),
        Tradeoff(
            x="training_time", y="accuracy", hue="model", split="test", x_scale="log10",
            where={"fraction": 1.0},
            caption="Test accuracy against training time.",
        ),
        Table(
            rows=("data", "model"), split="test", where={"fraction": 1.0},
            metrics=("accuracy", "parameters", "step_flops", "training_time"),
            caption="Accuracy and cost, trained on all training images.",
        ),
    ),
)  # fmt: skip
