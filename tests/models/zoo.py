"""All models, with inputs, output shapes and claims, for the tests of `test_contract`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
from hypothesis import strategies as st

import seqlab.models
from seqlab.models import (
    bidirectional,
    cnn,
    dlinear,
    encoder_decoder,
    gru,
    heads,
    hybrid,
    inverted_transformer,
    linear_attention,
    lru,
    lstm,
    mingru,
    minlstm,
    naive,
    patch_transformer,
    residual_cnn,
    rnn,
    skip_gram,
    tcn,
    transformer,
    vit,
)

VOCABULARY, CLASSES, CHANNELS = 11, 5, 3
LONGEST = 24  # for learned positions


@dataclass(frozen=True)
class Sizes:
    """Sizes drawn for a property. `hidden` is also the horizon of a forecast and the length of a source."""

    batch: int = 3
    length: int = 13
    heads: int = 3
    head: int = 3
    hidden: int = 7
    seed: int = 0

    @property
    def width(self) -> int:
        """Features of a step."""
        return self.heads * self.head


def sizes(*, shortest: int = 1, batch: int | None = None) -> st.SearchStrategy[Sizes]:
    """Small sizes, with enough hidden units for an active ReLU in every layer."""
    return st.builds(
        Sizes,
        batch=st.integers(1, 3) if batch is None else st.just(batch),
        length=st.integers(shortest, 19),
        heads=st.integers(2, 3),
        head=st.integers(2, 3),
        hidden=st.integers(5, 9),
        seed=st.integers(0, 99),
    )


@dataclass(frozen=True, repr=False)  # Hypothesis would print the source of every lambda
class Kind:
    """A model, its inputs (batch first), the shape of one output, and the claims.

    `timed`: there is an output for every step. `causal`: a step does not depend on later ones, and the model
    streams; `exact`: a later input changes no bit of an earlier output. `equivariant` is the axis to whose
    permutation the outputs are equivariant. `learned`: it has parameters. `paired`: heads have an even number
    of features.
    """

    make: Callable[[Sizes], nn.Module]
    inputs: Callable[[Sizes], tuple[mx.array, ...]]
    output: Callable[[Sizes], tuple[int, ...]]
    timed: bool = False
    causal: bool = False
    exact: bool = True
    equivariant: int | None = None
    learned: bool = True
    paired: bool = False

    def fitted(self, s: Sizes) -> Sizes:
        """The nearest sizes that are possible."""
        return replace(s, head=2 * s.head) if self.paired else s


def vectors(s: Sizes) -> tuple[mx.array, ...]:
    return (mx.random.normal((s.batch, s.length, s.width)),)


def tokens(s: Sizes) -> tuple[mx.array, ...]:
    return (mx.random.randint(0, VOCABULARY, (s.batch, s.length)),)


def pairs(s: Sizes) -> tuple[mx.array, ...]:
    """Sources and targets of different lengths."""
    return (mx.random.randint(0, VOCABULARY, (s.batch, s.hidden)), *tokens(s))


def rows(s: Sizes) -> tuple[mx.array, ...]:
    return (mx.random.normal((s.batch, s.length, CHANNELS)),)


def images(s: Sizes) -> tuple[mx.array, ...]:
    return (mx.random.normal((s.batch, side(s), side(s))),)


def side(s: Sizes) -> int:
    """Pixels: a multiple of 3, the patch."""
    return 6 + 3 * (s.length % 3)


def vector(s: Sizes) -> tuple[int, ...]:
    return s.length, s.width


def token(s: Sizes) -> tuple[int, ...]:
    return s.length, VOCABULARY


def label(s: Sizes) -> tuple[int, ...]:
    return (CLASSES,)


def future(s: Sizes) -> tuple[int, ...]:
    return s.hidden, CHANNELS


def attention(s: Sizes, **options) -> transformer.Model:
    config = {"heads": s.heads, "hidden": s.hidden, "length": LONGEST} | options
    return transformer.Model(transformer.Config(s.width, **config))


def stack(architecture, s: Sizes, **options) -> nn.Module:
    """Two recurrent layers."""
    return architecture.Model(architecture.Config(s.width, **{"depth": 2} | options))


def projected(architecture, s: Sizes, **options) -> nn.Module:
    """Two recurrent layers of another size, each on normalised input and added back."""
    return stack(architecture, s, hidden=s.hidden, residual=True, **options)


def series(architecture, s: Sizes, **options) -> nn.Module:
    return architecture.Model(architecture.Config(lookback=s.length, horizon=s.hidden, **options))


def blocks(s: Sizes) -> dict[str, int]:
    """Sizes of a stack of attention blocks."""
    return {"width": s.width, "depth": 1, "heads": s.heads, "hidden": s.hidden}


def language_model(backbone: Callable[[Sizes], nn.Module], s: Sizes, **options) -> nn.Module:
    return heads.LanguageModel(backbone(s), vocabulary=VOCABULARY, **options)


def classifier(backbone: Callable[[Sizes], nn.Module], s: Sizes, pool: str) -> nn.Module:
    return heads.RowClassifier(backbone(s), channels=CHANNELS, classes=CLASSES, pool=pool)


def forecaster(
    backbone: Callable[[Sizes], nn.Module], s: Sizes, how: str, *, segments: bool = False
) -> nn.Module:
    """Segments of the smallest size that divides the window, or single values."""
    divisors = (n for n in range(2, s.length) if segments and s.length % n == 0)
    return heads.Forecaster(
        backbone(s), lookback=s.length, horizon=s.hidden, normalisation=how, segment=next(divisors, 1)
    )


def translator(s: Sizes, **options) -> nn.Module:
    config = blocks(s) | {"vocabulary": VOCABULARY, "length": LONGEST} | options
    return encoder_decoder.Model(encoder_decoder.Config(**config))


def vision_transformer(s: Sizes, stem: str) -> nn.Module:
    return vit.Model(vit.Config(**blocks(s), size=side(s), patch=3, classes=CLASSES, stem=stem))


POSITIONS = ("none", "sinusoidal", "learned", "rope", "alibi")
GELU = ("rope", "none")  # the other positions have ReLU

CAUSAL = {
    "RNN": partial(stack, rnn),
    "RNN projected": partial(projected, rnn, orthogonal=True),
    "LSTM": partial(stack, lstm),
    "LSTM projected": partial(projected, lstm, orthogonal=True, forget_bias=3.0),
    "GRU": partial(stack, gru),
    "GRU projected": partial(projected, gru, orthogonal=True),
    "minGRU loop": partial(stack, mingru, scan="loop"),
    "minGRU doubling": partial(stack, mingru, scan="doubling"),
    "minGRU chunked": partial(stack, mingru),
    "minGRU projected": partial(projected, mingru),
    "minLSTM": partial(stack, minlstm),
    "minLSTM projected": partial(projected, minlstm),
    "LRU loop": lambda s: stack(lru, s, form="loop"),
    "LRU chunked": lambda s: stack(lru, s, hidden=s.hidden),
    "LRU fft": lambda s: stack(lru, s, form="fft"),
    "linear attention": lambda s: linear_attention.Model(linear_attention.Config(**blocks(s))),
    "linear attention, decay": lambda s: linear_attention.Model(
        linear_attention.Config(**blocks(s), decay=True, activation="gelu")
    ),
    "TCN": lambda s: tcn.Model(tcn.Config(s.width, depth=3, hidden=s.hidden)),
    "hybrid": lambda s: hybrid.Model(hybrid.Config(s.width)),
    "hybrid projected": lambda s: hybrid.Model(hybrid.Config(s.width, depth=3, hidden=s.hidden)),
    **{
        f"decoder {how}": partial(attention, positions=how, activation="gelu" if how in GELU else "relu")
        for how in POSITIONS
    },
    "decoder with sliding windows": partial(attention, positions="alibi", reach=3),
    "decoder without sums": partial(attention, positions="alibi", residual=False),
    "decoder without norms": partial(attention, positions="alibi", norm=False),
}
ENCODERS = {
    f"encoder {how}": partial(
        attention, positions=how, causal=False, activation="gelu" if how in GELU else "relu"
    )
    for how in POSITIONS
}
# These depend on their whole input, so they do not stream.
NON_CAUSAL = {
    "bi-LSTM": lambda s: bidirectional.Model(bidirectional.Config(s.width, depth=2)),
    "bi-LSTM projected": lambda s: bidirectional.Model(bidirectional.Config(s.width, 2, s.hidden, 3.0)),
    "residual CNN": lambda s: residual_cnn.Model(residual_cnn.Config(s.width, depth=4, hidden=s.hidden)),
}
BACKBONES = {
    **{
        name: Kind(
            make,
            vectors,
            vector,
            timed=True,
            causal=True,
            exact=name != "LRU fft",
            paired=name.endswith("rope"),
        )
        for name, make in CAUSAL.items()
    },
    **{
        name: Kind(
            make,
            vectors,
            vector,
            timed=True,
            equivariant=1 if name == "encoder none" else None,
            paired=name.endswith("rope"),
        )
        for name, make in ENCODERS.items()
    },
    **{name: Kind(make, vectors, vector, timed=True) for name, make in NON_CAUSAL.items()},
}
# Every backbone is in at least one whole model, which must overfit a batch.
WHOLE = {
    **{
        f"language model, {name}": Kind(
            partial(language_model, CAUSAL[name], tied=tied),
            tokens,
            token,
            timed=True,
            causal=True,
            paired=name.endswith("rope"),
        )
        for name, tied in (
            ("RNN", True),
            ("LSTM", False),
            ("hybrid", False),
            ("TCN", True),
            ("linear attention", False),
            ("decoder rope", True),
            ("decoder alibi", False),
        )
    },
    "masked language model, encoder learned": Kind(
        partial(language_model, ENCODERS["encoder learned"]), tokens, token, timed=True
    ),
    "labels of tokens, encoder none": Kind(
        partial(language_model, ENCODERS["encoder none"], outputs=CLASSES),
        tokens,
        lambda s: (s.length, CLASSES),
        timed=True,
        equivariant=1,
    ),
    **{
        f"labels of tokens, {name}": Kind(
            partial(language_model, NON_CAUSAL[name], outputs=CLASSES),
            tokens,
            lambda s: (s.length, CLASSES),
            timed=True,
        )
        for name in ("bi-LSTM", "residual CNN")
    },
    **{
        f"row classifier, {name}, {pool}": Kind(partial(classifier, CAUSAL[name], pool=pool), rows, label)
        for name, pool in (("GRU", "last"), ("minGRU chunked", "mean"), ("LRU chunked", "last"))
    },
    **{
        f"forecaster, {name}, {how}": Kind(
            partial(forecaster, CAUSAL[name], how=how, segments=segments), rows, future, equivariant=2
        )
        for name, how, segments in (
            ("LSTM", "mean_std", True),
            ("minLSTM", "last", False),
            ("linear attention, decay", "none", False),
        )
    },
    "encoder-decoder": Kind(translator, pairs, token, timed=True, causal=True, paired=True),
    "encoder-decoder, tied": Kind(
        partial(translator, positions="learned", tied=True, activation="gelu"),
        pairs,
        token,
        timed=True,
        causal=True,
    ),
    "skip-gram": Kind(
        lambda s: skip_gram.Model(skip_gram.Config(VOCABULARY, s.width)),
        tokens,
        token,
        equivariant=1,
    ),
    "ViT": Kind(partial(vision_transformer, stem="patches"), images, label),
    "ViT, convolution": Kind(partial(vision_transformer, stem="convolution"), images, label),
    "CNN": Kind(
        lambda s: cnn.Model(cnn.Config(channels=4, hidden=s.hidden, size=side(s), classes=CLASSES)),
        images,
        label,
    ),
    "PatchTST": Kind(
        lambda s: series(patch_transformer, s, patch=1 + s.length // 2, stride=3, **blocks(s)),
        rows,
        future,
        equivariant=2,
    ),
    "iTransformer": Kind(lambda s: series(inverted_transformer, s, **blocks(s)), rows, future, equivariant=2),
    "DLinear": Kind(lambda s: series(dlinear, s, kernel=5), rows, future, equivariant=2),
    "repeat last": Kind(partial(series, naive), rows, future, equivariant=2, learned=False),
    "repeat season": Kind(
        lambda s: series(naive, s, season=1 + s.length // 2), rows, future, equivariant=2, learned=False
    ),
}
ZOO = BACKBONES | WHOLE


def made(kind: Kind, s: Sizes) -> tuple[nn.Module, tuple[mx.array, ...]]:
    """The model and a batch of inputs, from the seed."""
    mx.random.seed(s.seed)
    s = kind.fitted(s)
    return kind.make(s), kind.inputs(s)


def exported() -> Iterator[type]:
    """Every `Model` in the files of `seqlab.models`, and the heads."""
    for path in chain.from_iterable(Path(folder).glob("*.py") for folder in seqlab.models.__path__):
        module = import_module(f"seqlab.models.{path.stem}")
        for name, found in vars(module).items():
            own = isinstance(found, type) and found.__module__ == module.__name__
            if own and (name == "Model" or (module is heads and issubclass(found, nn.Module))):
                yield found
