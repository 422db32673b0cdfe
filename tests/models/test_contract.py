"""Properties of every model, for any sizes, one per test; `zoo` has the models and what each claims."""

import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints
from unittest import mock

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten, tree_map

from seqlab.errors import UsageError
from seqlab.machine import kernels
from seqlab.measure.graph import forward_and_backward, primitives
from seqlab.models.parts import attention
from tests.models.zoo import BACKBONES, VOCABULARY, WHOLE, ZOO, Kind, Sizes, exported, made, sizes

LEARNED = {name: kind for name, kind in ZOO.items() if kind.learned}
TIMED = {name: kind for name, kind in ZOO.items() if kind.timed}
STREAMING = {name: kind for name, kind in ZOO.items() if kind.causal}
ENCODERS = {name: kind for name, kind in TIMED.items() if not kind.causal}

# The last variant of each kernel; `Kernels()` has the first.
FASTEST = {
    name: get_args(variants)[-1]
    for name, variants in get_type_hints(kernels.Kernels).items()
    if get_args(variants)
}

# The odd sizes, the smallest, which Hypothesis tries first, and others, equal in every run.
few = settings(max_examples=2, derandomize=True)
one = settings(few, max_examples=1)
ODD = Sizes()


def of(kinds: dict[str, Kind]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", kinds.values(), ids=kinds.keys())


def bits(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in tree_flatten(model.parameters())}


def slope(model: nn.Module, inputs: tuple[mx.array, ...]) -> tuple[mx.array, dict[str, mx.array]]:
    """The outputs, and the gradient of a weighted mean of their squares."""

    def loss(*inputs: mx.array) -> tuple[mx.array, mx.array]:
        y = model(*inputs)
        return mx.mean(mx.random.normal(y.shape, key=mx.random.key(1)) * mx.square(y)), y

    (_, y), gradients = nn.value_and_grad(model, loss)(*inputs)
    return y, dict(tree_flatten(gradients))


def other(x: mx.array) -> mx.array:
    """Other inputs of the same kind: each number changed, each token replaced."""
    if mx.issubdtype(x.dtype, mx.integer):
        return (x + mx.random.randint(1, VOCABULARY, x.shape)) % VOCABULARY
    return x + 1 + mx.random.uniform(shape=x.shape)


def test_every_model_is_in_the_zoo() -> None:
    """So that every file in `seqlab.models` is tested here."""
    assert set(exported()) <= {type(part) for kind in WHOLE.values() for part in made(kind, ODD)[0].modules()}


@of(ZOO)
@few
@example(s=ODD)
@given(s=sizes())
def test_outputs_have_the_shape_and_type_and_are_finite(kind: Kind, s: Sizes) -> None:
    model, inputs = made(kind, s)
    y = model(*inputs)
    assert y.shape == (s.batch, *kind.output(kind.fitted(s)))
    assert y.dtype == mx.float32
    assert np.isfinite(np.array(y)).all()


@of(ZOO)
@few
@example(s=ODD)
@given(s=sizes(batch=3))
def test_examples_are_independent(kind: Kind, s: Sizes) -> None:
    model, inputs = made(kind, s)
    alone = [model(*(x[i : i + 1] for x in inputs)) for i in range(s.batch)]
    np.testing.assert_allclose(model(*inputs), mx.concatenate(alone), rtol=1e-5, atol=1e-5)


@of(LEARNED)
@few
@example(s=ODD)
@given(s=sizes())
def test_every_parameter_learns(kind: Kind, s: Sizes) -> None:
    """With a single step recurrent weights, softmax and normalisation have no gradient."""
    model, inputs = made(kind, s)
    _, gradients = slope(model, inputs)
    assert gradients.keys() == bits(model).keys()
    for name, gradient in gradients.items():
        assert mx.isfinite(gradient).all().item(), name
        assert s.length < 5 or mx.abs(gradient).max().item() > 0, name


@of(STREAMING)
@few
@example(s=ODD, share=0.6)
@given(s=sizes(shortest=2), share=st.floats(0.1, 0.9))
def test_the_future_has_no_influence(kind: Kind, s: Sizes, share: float) -> None:
    model, (*source, x) = made(kind, s)
    now = max(1, int(share * s.length))
    changed = mx.concatenate([x[:, :now], other(x[:, now:])], axis=1)
    before, after = (np.array(model(*source, x)) for x in (x, changed))
    tolerance = 0 if kind.exact else 1e-5
    np.testing.assert_allclose(after[:, :now], before[:, :now], rtol=0, atol=tolerance)
    assert (np.abs(before[:, now:] - after[:, now:]).max(axis=(0, 2)) > 1e-4).all()


@of(ENCODERS)
@few
@example(s=ODD)
@given(s=sizes(shortest=2))
def test_an_encoder_depends_on_the_future(kind: Kind, s: Sizes) -> None:
    model, (x,) = made(kind, s)
    changed = mx.concatenate([x[:, :-1], other(x[:, -1:])], axis=1)
    assert mx.abs(model(x) - model(changed)).max(axis=(0, 2)).min().item() > 1e-5


@of({name: kind for name, kind in ZOO.items() if kind.equivariant is not None})
@few
@example(s=ODD)
@given(s=sizes())
def test_outputs_follow_a_permutation(kind: Kind, s: Sizes) -> None:
    model, (x,) = made(kind, s)
    order = mx.array(np.random.default_rng(s.seed).permutation(x.shape[kind.equivariant]))
    permuted = model(mx.take(x, order, axis=kind.equivariant))
    expected = mx.take(model(x), order, axis=kind.equivariant)
    np.testing.assert_allclose(permuted, expected, rtol=1e-4, atol=1e-5)


@of({name: kind for name, kind in ZOO.items() if kind.equivariant != 1})
@few
@example(s=ODD)
@given(s=sizes(shortest=3))
def test_order_in_time_matters(kind: Kind, s: Sizes) -> None:
    """Rolled by a step, not reversed, to which an encoder with ALiBi is equivariant. For images, rows."""
    model, (*source, x) = made(kind, s)
    y, rolled = model(*source, x), model(*source, mx.roll(x, 1, axis=1))
    follows = mx.roll(y, 1, axis=1) if kind.timed else y
    assert mx.abs(rolled - follows).max().item() > 1e-4


@of({name: kind for name, kind in WHOLE.items() if kind.learned})
def test_a_batch_is_overfitted(kind: Kind) -> None:
    model, inputs = made(kind, Sizes(batch=4, length=12, heads=2, head=8, hidden=16))
    shape = model(*inputs).shape
    if mx.issubdtype(inputs[0].dtype, mx.integer) or len(shape) == 2:
        labels = mx.random.randint(0, shape[-1], shape[:-1])
        if kind.equivariant == 1:  # equal tokens have equal labels
            labels = inputs[0] % shape[-1]

        def loss(*inputs: mx.array) -> mx.array:
            return nn.losses.cross_entropy(model(*inputs), labels, reduction="mean")
    else:
        target = mx.random.normal(shape)

        def loss(*inputs: mx.array) -> mx.array:
            return mx.mean(mx.square(model(*inputs) - target))

    step, optimiser, losses = nn.value_and_grad(model, loss), optim.Adam(learning_rate=1e-2), []
    while len(losses) < 200:
        value, gradients = step(*inputs)
        optimiser.update(model, gradients)
        mx.eval(value, model.parameters(), optimiser.state)
        losses.append(value.item())
        if losses[-1] < 0.1 * losses[0]:
            return
    pytest.fail(f"the loss fell from {losses[0]:.3g} to {losses[-1]:.3g} in {len(losses)} steps")


@of(ZOO)
@few
@example(s=ODD)
@given(s=sizes())
def test_a_model_is_equal_after_saving_and_loading(kind: Kind, s: Sizes) -> None:
    model, inputs = made(kind, s)
    loaded, _ = made(kind, replace(s, seed=s.seed + 1))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "weights.safetensors")
        model.save_weights(path)
        loaded.load_weights(path)
        np.testing.assert_array_equal(loaded(*inputs), model(*inputs))


@of(ZOO)
@few
@example(s=ODD)
@given(s=sizes())
def test_a_seed_determines_a_model(kind: Kind, s: Sizes) -> None:
    (model, inputs), (same, again), (another, _) = (
        made(kind, replace(s, seed=seed)) for seed in (s.seed, s.seed, s.seed + 1)
    )
    for x, y in zip(inputs, again, strict=True):
        np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(model(*inputs), same(*inputs))
    for (name, value), copy in zip(bits(model).items(), bits(same).values(), strict=True):
        np.testing.assert_array_equal(copy, value, err_msg=name)
    assert not kind.learned or (np.array(model(*inputs)) != np.array(another(*inputs))).any()


@of(STREAMING)
@few
@example(s=ODD, pieces=[0, 4, 1, 0, 5], spare=3)
@given(s=sizes(), pieces=st.lists(st.integers(0, 6), max_size=5), spare=st.integers(0, 4))
def test_reading_in_pieces_equals_reading_whole(kind: Kind, s: Sizes, pieces: list[int], spare: int) -> None:
    """A piece of 0 is a single step; the rest after the pieces is read in steps."""
    model, (*source, x) = made(kind, s)
    whole, state = model(*source, x), model.initial_state(*(source or [s.batch]), s.length + spare)
    extend = model.extend if hasattr(model, "extend") else model.prefill

    def form(memory: object) -> list[tuple]:
        return [(name, part.shape, part.dtype) for name, part in tree_flatten(memory)]

    before, found, expected = form(state.memory), [], []
    for piece in [*pieces, *[0] * s.length]:
        start = state.position
        here = x[:, start : start + max(1, piece)]
        if not here.size:
            break
        y, state = extend(here, state) if piece else model.step(here[:, 0], state)
        assert form(state.memory) == before  # so that a loop over `advance` compiles once
        # A head gives the logits of the last token read.
        found.append(y if y.ndim == 3 else y[:, None])
        expected.append(whole[:, start if y.ndim == 3 else state.position - 1 : state.position])
    assert state.position == s.length
    found, expected = (mx.concatenate(parts, axis=1) for parts in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@of(ZOO)
@one
@example(s=ODD)
@given(s=sizes())
def test_work_can_be_counted(kind: Kind, s: Sizes) -> None:
    """MLX can export the graph of a training step, which has more operations than the forward pass."""
    model, inputs = made(kind, s)
    mx.eval(model.parameters())
    forward = list(primitives(model, *inputs))
    assert forward
    if kind.learned:
        training = forward_and_backward(model, lambda model, *x: mx.mean(mx.square(model(*x))))
        assert len(list(primitives(training, *inputs))) > len(forward)


@of(LEARNED)
@few
@example(s=ODD, split=3, chunk=0.5)
@given(s=sizes(), split=st.integers(2, 8), chunk=st.floats(0.3, 3))
def test_the_fast_kernel_variants_compute_the_same(kind: Kind, s: Sizes, split: int, chunk: float) -> None:
    """Rational tanh, polynomial exp, blocks of attention, recurrences with a custom gradient."""
    model, inputs = made(kind, s)
    expected, gradients = slope(model, inputs)
    fast = kernels.Kernels(split=split, chunk=chunk, **FASTEST)
    with (
        mock.patch.multiple(attention, MIN_SCORES=0, BLOCK=4),  # sequences are short here
        kernels.using(fast),
        kernels.compiling(),
    ):
        y, found = slope(model, inputs)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-4, atol=1e-5, err_msg=name)


@of(LEARNED)
@pytest.mark.parametrize("compiled", [False, True])
@one
@example(s=ODD)
@given(s=sizes())
def test_half_precision_goes_through(kind: Kind, s: Sizes, compiled: bool) -> None:
    """States may stay in float32, but outputs may not: otherwise all later layers compute in float32."""
    model, inputs = made(kind, s)
    model.set_dtype(mx.bfloat16)
    inputs = tuple(x.astype(mx.bfloat16) if x.dtype == mx.float32 else x for x in inputs)
    with kernels.compiling() if compiled else nullcontext():
        y, gradients = slope(model, inputs)
    if kind.causal:
        *source, x = inputs
        gradients["a step"], _ = model.step(x[:, 0], model.initial_state(*(source or [s.batch]), 1))
    for name, found in (gradients | {"the outputs": y}).items():
        assert found.dtype == mx.bfloat16, name
        assert mx.isfinite(found).all().item(), name


@of(BACKBONES)
@few
@example(s=ODD)
@given(s=sizes())
def test_seeds_side_by_side_equal_one_by_one(kind: Kind, s: Sizes) -> None:
    model, inputs = made(kind, s)
    several = [made(kind, replace(s, seed=seed))[0] for seed in range(2)]
    alone = mx.stack([each(*inputs) for each in several])

    def output(parameters: dict) -> mx.array:
        return model.update(parameters)(*inputs)

    stacked = tree_map(lambda *values: mx.stack(values), *(each.parameters() for each in several))
    np.testing.assert_allclose(mx.vmap(output)(stacked), alone, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("as_users_have_it")
@of(BACKBONES)
def test_a_wrong_input_is_an_error(kind: Kind) -> None:
    model, (x,) = made(kind, ODD)
    for wrong, message in (
        (x[:, :0], "the sequence is empty"),
        (x[..., 1:], "expected an input of shape"),
        (x[0], "expected an input of shape"),
        (x.astype(mx.int32), "expected floating-point numbers"),
    ):
        with pytest.raises(UsageError, match=message):
            model(wrong)
