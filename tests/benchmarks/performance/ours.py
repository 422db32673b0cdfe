"""Seqlab's own models, as its experiments use them."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from seqlab.decoding.generate import Decoder
from seqlab.measure.memory import peak_memory
from seqlab.models import gru, lstm, mingru, patch_transformer, rnn, transformer, vit
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.scan import SCANS, Scan
from tests.benchmarks.performance import sizes as n
from tests.benchmarks.performance.cases import Case, Contender, Weights, batch
from tests.benchmarks.performance.job import Job
from tests.benchmarks.performance.mlx_job import load, named, training


def backbone(case: Case) -> Backbone:
    """What reads the sequence."""
    match case.model:
        case "RNN":
            return rnn.Model(rnn.Config(n.WIDTH, n.DEPTH))
        case "LSTM":
            return lstm.Model(lstm.Config(n.WIDTH, n.DEPTH))
        case "GRU":
            return gru.Model(gru.Config(n.WIDTH, n.DEPTH))
        case "minGRU":
            return mingru.Model(mingru.Config(n.WIDTH, n.DEPTH))
    longest = case.length + n.TOKENS
    # Learned positions, as in GPT-2: stock layers and PyTorch can have them at the same cost.
    sizes = transformer.Config(n.WIDTH, n.DEPTH, n.HEADS, n.HIDDEN, positions="learned", length=longest)
    return transformer.Model(sizes)


def build(case: Case) -> nn.Module:
    """A whole model with our own initial weights."""
    mx.random.seed(0)
    if case.model == "ViT":
        return vit.Model(
            vit.Config(n.WIDTH, n.DEPTH, n.HEADS, n.HIDDEN, size=n.IMAGE, patch=n.PATCH, classes=n.CLASSES)
        )
    if case.model == "PatchTST":
        sizes = patch_transformer.Config(
            n.LOOKBACK, n.HORIZON, n.WIDTH, n.DEPTH, n.HEADS, n.HIDDEN, patch=n.SERIES_PATCH, stride=n.STRIDE
        )
        return patch_transformer.Model(sizes)
    return LanguageModel(backbone(case), vocabulary=n.VOCABULARY)


def initial(model: nn.Module) -> Weights:
    """Our initial weights with every bias at 0, since stock attention has none to copy them to."""
    return {
        name: np.zeros_like(value) if name.endswith("bias") else value for name, value in named(model).items()
    }


def prepare(case: Case, contender: Contender, weights: Weights | None) -> Job:
    """Our model, with these weights or its own."""
    if case.phase == "scan":
        return scan(case, "loop" if contender.loop else "chunked", compiled=contender.compiled)
    model = build(case)
    load(model, initial(model) if weights is None else weights)
    if case.phase == "training":
        return training(case, model, compiled=contender.compiled)
    return decoding(case, model, compiled=contender.compiled)


def scan(case: Case, form: Scan, *, compiled: bool) -> Job:
    """The recurrence and its gradient; it gives the first step's gradient in the first sequence."""
    a, b = map(mx.array, batch(case))

    def squares(a: mx.array, b: mx.array) -> mx.array:
        return mx.sum(mx.square(SCANS[form](a, b, None)))

    whole = mx.value_and_grad(squares, argnums=(0, 1))
    if compiled:
        whole = mx.compile(whole)

    def step() -> np.ndarray:
        value, gradients = whole(a, b)
        mx.eval(value, gradients)
        return np.stack([np.array(each[0, 0]) for each in gradients])

    return Job(step, lambda: peak_memory(lambda: whole(a, b)), {})


def decoding(case: Case, model: LanguageModel, *, compiled: bool) -> Job:
    """Greedy, with a cache, one token computed while the one before is read, as `generate` does it."""
    prompt = mx.array(batch(case)[0])
    decoder = Decoder(model, compiled=compiled)

    def reset() -> None:
        mx.eval(decoder.prefill(prompt, tokens=n.TOKENS + 1))

    def step() -> np.ndarray:
        found: list[np.ndarray] = []
        following = decoder.step()
        mx.async_eval(following)
        for left in range(n.TOKENS, 0, -1):
            now = following
            if left > 1:
                following = decoder.step()
                mx.async_eval(following)
            found.append(np.array(now))
        return np.stack(found, axis=1)

    def whole() -> list[mx.array]:
        # A decoder of its own: the cache that another lets go would be taken off what this one holds.
        own = Decoder(model, compiled=compiled)
        own.prefill(prompt, tokens=n.TOKENS + 1)
        return [own.step() for _ in range(n.TOKENS)]

    return Job(step, lambda: peak_memory(whole), named(model), reset, parts=n.TOKENS)
