"""Does the chapter on decoding compare what it says: equal sizes, equal work, the same place in the text?"""

import math
from pathlib import Path
from types import ModuleType

import mlx.core as mx
import pytest
from mlx.utils import tree_map

from seqlab.decoding.generate import generate
from seqlab.machine.kernels import Kernels
from seqlab.models.sizing import parameters
from seqlab.notebook import discover as pages


@pytest.fixture(scope="module")
def page() -> ModuleType:
    path = Path(__file__).parents[2] / "experiments" / "decoding.py"
    return pages._module(path)  # its functions, which `load` leaves out


def test_every_rival_has_the_transformers_parameters_or_its_work(page: ModuleType) -> None:
    context = 512
    size = parameters(page.sized("Transformer", width=16, context=context))
    work = page.token_flops("Transformer", 16, 64, context)
    for name in (*page.RECURRENT, "Linear attention"):
        found = parameters(page.sized(name, width=16, context=context))
        assert math.isclose(found, size, rel_tol=0.02), name
    for name, kind in page.LARGER.items():
        hidden = page.hidden_size(name, 16, context)
        assert math.isclose(page.token_flops(kind, 16, hidden, context), work, rel_tol=0.05), name


def test_work_grows_with_the_context_for_attention_alone(page: ModuleType) -> None:
    """Each further token costs two products of D features a layer, 4 D, and what softmax and mask take."""
    near, far = (page.token_flops("Transformer", 16, 64, context) for context in (100, 300))
    assert 4 * 16 * page.DEPTH < (far - near) / 200 < 8 * 16 * page.DEPTH
    for name in (*page.RECURRENT, "Linear attention"):
        assert page.token_flops(name, 16, 32, 100) == page.token_flops(name, 16, 32, 300)


@pytest.mark.parametrize("name", ["Transformer", "LSTM"])
def test_a_writer_goes_back_to_its_context(page: ModuleType, name: str) -> None:
    cell = page.Cell(context=20, batch=2, seed=0, width=16, written=3, blocks=1, compiled=False, anew=False)
    model = page.sized(name, width=16, context=20)
    arm = page.writer(model, cell, page.Way(False, Kernels()))
    found = []
    for _ in range(2):
        mx.eval(arm.reset())
        token, memory = arm.step()
        found.append((token.tolist(), memory))
    assert arm.parts == 3
    if name == "Transformer":  # a recurrent network goes on: its time does not depend on where it is
        assert found[0][0] == found[1][0]
        assert memory[0][0].shape[2] == 23


def test_writing_without_a_cache_reads_the_whole_context(page: ModuleType) -> None:
    cell = page.Cell(context=9, batch=2, seed=0, width=16, written=1, blocks=1, compiled=False, anew=True)
    model = page.sized("Transformer", width=16, context=9)
    arm = page.writer_anew(model, cell)
    first = arm.reset()
    seen = []
    call = type(model).__call__

    class Watched(type(model)):  # type: ignore[misc]
        def __call__(self, tokens: mx.array) -> mx.array:
            seen.append(tokens.shape)
            return call(self, tokens)

    model.__class__ = Watched
    mx.eval(first, arm.step())
    assert seen == [(2, 10)]


def test_the_effect_of_a_choice_is_nothing_where_nothing_hangs_on_it(page: ModuleType) -> None:
    model = page.sized("Transformer", width=16, context=1)
    prompts = mx.random.randint(0, page.VOCABULARY, (3, 6))
    assert page.choice_effect(model, prompts) > 1e-3
    model.to_logits.update(tree_map(mx.zeros_like, model.to_logits.parameters()))
    assert page.choice_effect(model, prompts) == 0
    assert len(list(generate(model, prompts, tokens=2))) == 2
