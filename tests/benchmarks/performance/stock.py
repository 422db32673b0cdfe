"""The same models from the layers of mlx.nn as they come, where it has them."""

import math
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from seqlab.measure.memory import peak_memory
from seqlab.models.parts.series import join_channels, normalise, split_channels
from seqlab.models.patch_transformer import Config, cut
from seqlab.models.vit import patchify
from tests.benchmarks.performance import sizes as n
from tests.benchmarks.performance.cases import RECURRENT, Case, Contender, Weights, batch
from tests.benchmarks.performance.job import Job
from tests.benchmarks.performance.mlx_job import load, training
from tests.benchmarks.performance.weights import below, stock_block, stock_recurrent

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


class Recurrent(nn.Module):
    """Tokens to logits through `nn.RNN`, `nn.LSTM` or `nn.GRU`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n.VOCABULARY, n.WIDTH)
        self.cells = [LAYERS[kind](n.WIDTH, n.WIDTH) for _ in range(n.DEPTH)]
        self.norm = nn.LayerNorm(n.WIDTH)
        self.to_logits = nn.Linear(n.WIDTH, n.VOCABULARY)

    def extend(self, tokens: mx.array, states: list[Any]) -> tuple[mx.array, list[Any]]:
        """Logits of every position from the states that the layers were left with."""
        x, after = self.embedding(tokens) * math.sqrt(n.WIDTH), []
        for cell, state in zip(self.cells, states, strict=True):
            y = cell(x, *state)
            whole = y if isinstance(y, tuple) else (y,)
            x = whole[0]
            after.append(tuple(part[:, -1] for part in whole))
        return self.to_logits(self.norm(x)), after

    def __call__(self, tokens: mx.array) -> mx.array:
        return self.extend(tokens, [()] * n.DEPTH)[0]


class Encoder(nn.Module):
    """`nn.TransformerEncoder`, whose last norm is the one of our heads, after learned positions."""

    def __init__(self, positions: int, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.positions = mx.zeros((positions, n.WIDTH))
        self.stack = nn.TransformerEncoder(n.DEPTH, n.WIDTH, n.HEADS, n.HIDDEN)

    def __call__(self, x: mx.array) -> mx.array:
        return self.stack(x + self.positions[: x.shape[1]], "causal" if self.causal else None)


class Decoder(nn.Module):
    """Tokens to logits through a causal encoder."""

    def __init__(self, longest: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n.VOCABULARY, n.WIDTH)
        self.encoder = Encoder(longest, causal=True)
        self.to_logits = nn.Linear(n.WIDTH, n.VOCABULARY)

    def __call__(self, tokens: mx.array) -> mx.array:
        return self.to_logits(self.encoder(self.embedding(tokens) * math.sqrt(n.WIDTH)))


class ViT(nn.Module):
    """Images to the logits of their classes."""

    def __init__(self) -> None:
        super().__init__()
        self.to_width = nn.Linear(n.PATCH**2, n.WIDTH)
        self.encoder = Encoder((n.IMAGE // n.PATCH) ** 2, causal=False)
        self.to_logits = nn.Linear(n.WIDTH, n.CLASSES)

    def __call__(self, images: mx.array) -> mx.array:
        return self.to_logits(mx.mean(self.encoder(self.to_width(patchify(images, n.PATCH))), axis=1))


class PatchTST(nn.Module):
    """Windows to forecasts."""

    def __init__(self) -> None:
        super().__init__()
        self._config = Config(n.LOOKBACK, n.HORIZON, patch=n.SERIES_PATCH, stride=n.STRIDE)
        self.to_width = nn.Linear(n.SERIES_PATCH, n.WIDTH)
        self.encoder = Encoder(self._config.patches, causal=False)
        self.to_forecast = nn.Linear(self._config.patches * n.WIDTH, n.HORIZON)

    def __call__(self, window: mx.array) -> mx.array:
        x, level = normalise(window, "mean_std")
        y = self.encoder(self.to_width(cut(split_channels(x), self._config)))
        return level.denormalise(join_channels(self.to_forecast(y.flatten(1)), window.shape[-1]))


def build(case: Case) -> nn.Module:
    """The model of a case."""
    if case.model in RECURRENT:
        return Recurrent(case.model)
    if case.model == "Transformer":
        return Decoder(case.length + n.TOKENS)
    return ViT() if case.model == "ViT" else PatchTST()


def translated(case: Case, ours: Weights) -> Weights:
    """Our weights under the names of stock layers."""
    inside = below(ours, "backbone.") or ours
    if case.model in RECURRENT:
        found = {name: value for name, value in ours.items() if not name.startswith("backbone.")}
        for layer in range(n.DEPTH):
            cell = stock_recurrent(case.model, below(inside, f"cells.{layer}."))
            found |= {f"cells.{layer}.{name}": value for name, value in cell.items()}
        return found
    outside = ("embedding.", "to_width.", "to_logits.", "to_forecast.")
    found = {name: value for name, value in ours.items() if name.startswith(outside)}
    (found["encoder.positions"],) = below(inside, "positions.").values()
    found |= {f"encoder.stack.ln.{name}": value for name, value in below(ours, "norm.").items()}
    for layer in range(n.DEPTH):
        block = stock_block(below(inside, f"blocks.{layer}."))
        found |= {f"encoder.stack.layers.{layer}.{name}": value for name, value in block.items()}
    return found


def prepare(case: Case, contender: Contender, weights: Weights | None) -> Job:
    """The stock model with our weights, eager."""
    assert weights is not None, "our weights come first"
    model = build(case)
    load(model, translated(case, weights))
    if case.phase == "training":
        return training(case, model, compiled=contender.compiled, stock=True)
    return decoding(case, model)


def decoding(case: Case, model: Recurrent) -> Job:
    """Greedy, from the states that the layers were left with."""
    prompt = mx.array(batch(case)[0])
    now: list[Any] = []

    def reset() -> None:
        logits, states = model.extend(prompt, [()] * n.DEPTH)
        now[:] = [mx.argmax(logits[:, -1], axis=-1), states]
        mx.eval(now)

    def lazily() -> list[mx.array]:
        tokens, states = now
        found = []
        for _ in range(n.TOKENS):
            logits, states = model.extend(tokens[:, None], states)
            tokens = mx.argmax(logits[:, 0], axis=-1)
            mx.async_eval(tokens)
            found.append(tokens)
        return found

    def whole() -> list[mx.array]:
        reset()
        return lazily()

    return Job(
        lambda: np.stack([np.array(tokens) for tokens in lazily()], axis=1),
        lambda: peak_memory(whole),
        {},
        reset,
        parts=n.TOKENS,
    )
