"""How long does a model take to read a prompt, and to write a token after it?

Each function here makes an `Arm` for `seqlab.measure.blocks.time_blocks`, which times models side by side.
A decoding step can run in several ways that compute the same: compiled or not, in one kernel or another
(`seqlab.machine.kernels`). Which is fastest depends on the device, the model and the context, so each model
is first timed in all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import inf
from statistics import median
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

from seqlab.decoding.generate import Decoder
from seqlab.machine import kernels
from seqlab.machine.kernels import Kernels
from seqlab.measure.blocks import Arm, Times, time_blocks
from seqlab.models.heads import LanguageModel
from seqlab.models.parts.streaming import State

TRIAL_BLOCKS = 3  # for which each variant is timed before the fastest is chosen


@dataclass(frozen=True)
class Workload:
    """`batch` sequences, each of which has read `context` tokens and writes `tokens` more."""

    context: int
    batch: int = 1
    tokens: int = 1


@dataclass(frozen=True)
class Variant:
    """One of the equal ways to run a decoding step."""

    compiled: bool
    kernels: Kernels


@dataclass(frozen=True)
class Choice:
    """The fastest variant, and what is known of it from the trials, which were needed if there were several.

    `first` is the time of its first call in seconds, compilation included. `compile_gain` is the time of the
    fastest uncompiled variant over that of the fastest compiled one.
    """

    variant: Variant
    first: float | None = None
    compile_gain: float | None = None


def variants(model: LanguageModel, *, compiled: bool) -> list[Variant]:
    """Those worth a trial on this device: compiled ones on a GPU, and on a CPU, where compiling takes
    seconds, if `compiled`."""
    compiles = compiled or on_gpu()
    # For one query MLX's own attention may be faster where another kernel is for many.
    forms = [kernels.current(), *([Kernels()] if model.initial_state(1, 1).room is not None else [])]
    return [Variant(*way) for way in product((False, True) if compiles else (False,), dict.fromkeys(forms))]


def default_variant() -> Variant:
    """What `Decoder` does unless it is told otherwise: compiled on a GPU, in the kernels in use."""
    return Variant(on_gpu(), kernels.current())


def on_gpu() -> bool:
    """Whether MLX's default device is a GPU."""
    return bool(mx.default_device().type != mx.DeviceType.cpu)


def prefill_arm(model: LanguageModel, work: Workload) -> Arm:
    """Reads a random context at once, one part a token."""
    prompt = mx.random.randint(0, model.vocabulary, (work.batch, work.context))
    return Arm(lambda: read_prompt(model, prompt), parts=work.context)


def read_prompt(model: LanguageModel, prompt: mx.array) -> tuple[mx.array, Any]:
    """The logits after a prompt that is read at once, and what the model remembers of it."""
    logits, state = model.prefill(prompt, model.initial_state(*prompt.shape))
    return logits, state.memory


def decode_arm(model: LanguageModel, work: Workload, variant: Variant) -> Arm:
    """Writes `tokens` tokens after the context, one part a token, then goes back to the context.

    A recurrent network, whose time does not depend on its place, goes on from where it is.
    """
    decoder = Decoder(model, compiled=variant.compiled)
    last = mx.zeros((work.batch, 1), dtype=mx.int32)  # of the context
    at = work.context - 1  # tokens read before the last
    start = _filled(model.initial_state(work.batch, work.context + work.tokens))._replace(position=at)
    mx.eval(start.memory)
    decoder.prefill(last, tokens=work.tokens + 1, start=lambda reads: start)

    def go_back() -> mx.array:
        before = decoder.state._replace(position=at)
        return decoder.prefill(last, tokens=work.tokens + 1, start=lambda reads: before)

    def write() -> tuple[mx.array, Any]:
        with kernels.using(variant.kernels):
            for _ in range(work.tokens):
                token = decoder.step()
                mx.async_eval(token)  # as `generate` does: the next step is built meanwhile
        return token, decoder.state.memory

    return Arm(write, parts=work.tokens, reset=go_back)


def _filled(state: State) -> State:
    """The state with random numbers in its cache: their values change no time, but zeros are no text."""
    if state.room is None:
        return state
    return state._replace(memory=tree_map(lambda held: mx.random.uniform(-1, 1, held.shape), state.memory))


def uncached_decode_arm(model: LanguageModel, work: Workload) -> Arm:
    """Writes one token by reading the whole context again."""
    decoder = Decoder(model, cached=False)
    context = mx.random.randint(0, model.vocabulary, (work.batch, work.context))
    return Arm(decoder.step, reset=lambda: decoder.prefill(context, tokens=2))


def fastest(
    model: LanguageModel, work: Workload, tried: Sequence[Variant], rng: np.random.Generator
) -> Choice:
    """Time the model in one variant after another and choose the one of the least median time.

    A single variant is chosen without timing it.
    """
    if len(tried) == 1:
        return Choice(tried[0])
    times = {variant: _trial(model, work, variant, rng) for variant in tried}
    speed = {variant: median(found.kept.values() or [inf]) for variant, found in times.items()}
    best = min(speed, key=speed.__getitem__)
    eager, compiled = (
        min((speed[variant] for variant in speed if variant.compiled is wanted), default=inf)
        for wanted in (False, True)
    )
    return Choice(best, times[best].first, eager / compiled if max(eager, compiled) < inf else None)


def _trial(model: LanguageModel, work: Workload, variant: Variant, rng: np.random.Generator) -> Times:
    (times,) = time_blocks({"": decode_arm(model, work, variant)}, blocks=TRIAL_BLOCKS, rng=rng).values()
    return times
