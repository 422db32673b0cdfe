"""Does weight decay fall on matrices, and on nothing else?"""

import copy
import itertools
from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn
from mlx.utils import tree_flatten

from seqlab.models import lstm
from seqlab.models.heads import LanguageModel
from seqlab.training.loop import fit
from seqlab.training.optimizer import adamw
from seqlab.training.seeds import fit_seeds
from seqlab.training.step import training_step
from tests.models.zoo import ZOO, Sizes, made
from tests.training.test_loop import X, Y, network, squared_error

# One step at the peak: what is decayed loses half of itself.
OPTIONS = {"steps": 1, "learning_rate": 1.0, "weight_decay": 0.5, "compiled": False}
KEPT = 0.5


def language_model() -> nn.Module:
    """An embedding, a gain, an LSTM with a forget bias, weights with a bias."""
    model = LanguageModel(lstm.Model(lstm.Config(width=4)), vocabulary=5)
    model.to_logits.bias = mx.ones((5,))
    mx.eval(model.parameters())
    return model


def flat(model: nn.Module, x: mx.array) -> mx.array:
    """A loss whose gradient is zero everywhere, so that decay alone moves a parameter."""
    return 0 * sum((mx.sum(array) for _, array in tree_flatten(model.parameters())), start=mx.sum(x))


def alone(model: nn.Module) -> None:
    list(fit(model, flat, batches=itertools.repeat((mx.zeros(1),)), **OPTIONS))


def beside_another(model: nn.Module) -> None:
    batches = [itertools.repeat((mx.zeros(1),))] * 2
    list(fit_seeds([model, copy.deepcopy(model)], flat, batches=batches, **OPTIONS))


@pytest.mark.parametrize("train", [alone, beside_another])
def test_matrices_decay_and_vectors_stay(train: Callable[[nn.Module], None]) -> None:
    model = language_model()
    before = {path: np.array(array) for path, array in tree_flatten(model.parameters())}
    train(model)
    after = dict(tree_flatten(model.parameters()))
    matrices = {path for path, array in before.items() if array.ndim == 2}
    assert matrices == {
        "embedding.weight",
        "backbone.cells.0.input_weight",
        "backbone.cells.0.recurrent_weight",
        "to_logits.weight",
    }
    for path, array in before.items():
        np.testing.assert_allclose(after[path], array * (KEPT if path in matrices else 1.0), err_msg=path)


@pytest.mark.parametrize("name", ZOO)
def test_no_bias_or_gain_of_any_model_is_a_matrix(name: str) -> None:
    """So that the number of axes tells what is decayed; `log_` and `skip` are vectors of the LRU."""
    sizes = Sizes(batch=1, length=7, heads=2, head=2, hidden=5, seed=0)
    for path, array in tree_flatten(made(ZOO[name], sizes)[0].parameters()):
        vector = "bias" in path or "norm" in path or path.rpartition(".")[2].startswith(("log_", "skip"))
        assert (array.ndim < 2) == vector, path


@pytest.mark.slow  # compiling takes seconds on a CPU
def test_a_compiled_step_decays_the_same() -> None:
    found = []
    for compiled in (False, True):
        model = network()
        step = training_step(
            model, squared_error, adamw(0.1, weight_decay=0.5), compiled=compiled, max_norm=1.0
        )
        for _ in range(3):
            mx.eval(step(X, Y))
        found.append(dict(tree_flatten(model.parameters())))
    for path, array in found[0].items():
        np.testing.assert_allclose(found[1][path], array, rtol=1e-3, atol=1e-5, err_msg=path)
