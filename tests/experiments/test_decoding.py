"""Do the chapters on decoding compare what they say: equal sizes, equal work, and a choice that decides?"""

import math

import mlx.core as mx
import pytest
from mlx.utils import tree_map

from experiments import decoding, prefill, speculation
from seqlab.decoding.costs import decode_flops
from seqlab.decoding.generate import generate
from seqlab.models.sizing import parameters

CONTEXT = 512


@pytest.mark.parametrize("name", decoding.MATCHED)
def test_every_rival_has_the_transformers_parameters(name: str) -> None:
    size = parameters(decoding.sized("Transformer", width=16, context=CONTEXT))
    found = parameters(decoding.sized(name, width=16, context=CONTEXT))
    assert math.isclose(found, size, rel_tol=0.02)
    assert parameters(prefill.model_of(name, width=16)) == found


@pytest.mark.parametrize("name", decoding.EQUAL_WORK)
def test_an_enlarged_rival_has_the_transformers_work(name: str) -> None:
    found, work = (
        decode_flops(decoding.sized(model, width=16, context=CONTEXT), context=CONTEXT)
        for model in (name, "Transformer")
    )
    assert math.isclose(found, work, rel_tol=0.05)


def test_the_effect_of_a_choice_is_nothing_where_nothing_hangs_on_it() -> None:
    model = decoding.sized("Transformer", width=16, context=1)
    prompts = mx.random.randint(0, model.vocabulary, (3, 6))
    assert speculation.choice_effect(model, prompts) > 1e-3
    model.to_logits.update(tree_map(mx.zeros_like, model.to_logits.parameters()))
    assert speculation.choice_effect(model, prompts) == 0
    assert len(list(generate(model, prompts, tokens=2))) == 2
