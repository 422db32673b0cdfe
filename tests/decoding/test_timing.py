"""Is what is timed the decoding that is meant: the same place in the text, and the fastest variant?"""

from collections.abc import Callable, Mapping

import mlx.core as mx
import numpy as np
import pytest

from seqlab.decoding import timing
from seqlab.decoding.timing import (
    Choice,
    Variant,
    Workload,
    decode_arm,
    fastest,
    prefill_arm,
    uncached_decode_arm,
    variants,
)
from seqlab.machine import kernels
from seqlab.machine.kernels import Kernels
from seqlab.measure.blocks import Arm, Times
from seqlab.models import lstm, transformer
from seqlab.models.heads import LanguageModel

EAGER, COMPILED = Variant(False, Kernels()), Variant(True, Kernels())
OTHER = Kernels(exp="polynomial")
RNG = np.random.default_rng(0)


def model_of(name: str) -> LanguageModel:
    backbone = {
        "Transformer": lambda: transformer.Model(transformer.Config(16)),
        "LSTM": lambda: lstm.Model(lstm.Config(16)),
    }[name]()
    return LanguageModel(backbone, vocabulary=9)


def watched(model: LanguageModel, method: str) -> list[tuple[int, ...]]:
    """The shapes of the tokens that each call of the method reads from here on."""
    seen: list[tuple[int, ...]] = []
    kind = type(model)
    call = getattr(kind, method)

    def watch(self: LanguageModel, tokens: mx.array, *others: object) -> object:
        seen.append(tokens.shape)
        return call(self, tokens, *others)

    model.__class__ = type("Watched", (kind,), {method: watch})
    return seen


@pytest.mark.parametrize("name", ["Transformer", "LSTM"])
def test_a_decoder_goes_back_to_its_context(name: str) -> None:
    arm = decode_arm(model_of(name), Workload(context=20, batch=2, tokens=3), EAGER)
    found = []
    for _ in range(2):
        mx.eval(arm.reset())
        token, memory = arm.step()
        found.append((token.tolist(), memory))
    assert arm.parts == 3
    if name == "Transformer":  # a recurrent network goes on: its time does not depend on where it is
        assert found[0][0] == found[1][0]
        assert memory[0][0].shape[2] == 23


def test_writing_without_a_cache_reads_the_whole_context() -> None:
    model = model_of("Transformer")
    arm = uncached_decode_arm(model, Workload(context=9, batch=2))
    first = arm.reset()
    seen = watched(model, "__call__")
    mx.eval(first, arm.step())
    assert seen == [(2, 10)]


def test_a_prompt_is_read_at_once() -> None:
    model = model_of("LSTM")
    seen = watched(model, "prefill")
    arm = prefill_arm(model, Workload(context=9, batch=2))
    logits, memory = arm.step()
    assert arm.parts == 9
    assert seen == [(2, 9)]
    assert logits.shape == (2, 9)  # sequences and vocabulary
    assert memory


def test_a_model_with_a_cache_is_tried_in_the_plain_kernels_too() -> None:
    with kernels.using(OTHER):
        assert {found.kernels for found in variants(model_of("Transformer"), compiled=False)} == {
            OTHER,
            Kernels(),
        }
        assert {found.kernels for found in variants(model_of("LSTM"), compiled=False)} == {OTHER}
    assert len(variants(model_of("LSTM"), compiled=True)) == 2


def planned(speed: Mapping[Variant, list[float]]) -> Callable[..., dict[str, Times]]:
    """What `time_blocks` would find, were these the times of the variants."""
    waiting = iter(speed.values())

    def time_blocks(arms: Mapping[str, Arm], **_: object) -> dict[str, Times]:
        found = next(waiting)
        return {name: Times(10 * found[0], dict(enumerate(found)), 0) for name in arms}

    return time_blocks


def test_the_fastest_variant_by_the_median_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = {EAGER: [3.0, 3.0, 1.0], COMPILED: [2.0, 2.0, 9.0]}
    monkeypatch.setattr(timing, "time_blocks", planned(speed))
    found = fastest(model_of("LSTM"), Workload(4), list(speed), RNG)
    assert found == Choice(COMPILED, first=20.0, compile_gain=1.5)


def test_the_gain_of_compiling_needs_both(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = {EAGER: [3.0], Variant(False, OTHER): [2.0]}
    monkeypatch.setattr(timing, "time_blocks", planned(speed))
    found = fastest(model_of("Transformer"), Workload(4), list(speed), RNG)
    assert found == Choice(Variant(False, OTHER), first=20.0)


def test_a_single_variant_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time_blocks", None)
    assert fastest(model_of("LSTM"), Workload(4), [EAGER], RNG) == Choice(EAGER)
