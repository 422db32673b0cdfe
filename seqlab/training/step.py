"""What does one training step compute, in which precision, and is it compiled?

The gradient is clipped by its global norm (@pascanu2013difficulty). The step returns that norm with the
loss, so that the caller can check both for divergence without a second evaluation.

In mixed precision (Micikevicius et al., 2018) the model computes in bfloat16. Its parameters, their
gradients, the optimiser and the loss stay in float32. Since bfloat16 has the range of float32, the loss
needs no scaling. On a CPU bfloat16 takes about ten times as long.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import mlx.core as mx
from mlx import nn, optimizers
from mlx.utils import tree_map

from seqlab.errors import UsageError, unknown
from seqlab.machine import device, kernels
from seqlab.models.parts.recurrence import UnrolledCell

Batch = tuple[mx.array, ...]
Loss = Callable[..., mx.array]  # loss(model, *batch) -> a scalar
Step = Callable[..., tuple[mx.array, mx.array, Any]]  # step(*batch) -> loss, gradient norm, state
Precision = Literal["float32", "bfloat16"]
# MLX 0.32 compiles by recursion over the graph: a chain of 20,000 products with its gradient crashed the
# process, one of 5,000 did not. A recurrent step in a compiled form is about three operations.
LONGEST_COMPILED = 1_024
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def training_step(
    model: nn.Module,
    loss: Loss,
    optimizer: optimizers.Optimizer,
    *,
    steps: int = 1,
    max_norm: float = 1.0,
    precision: str | None = None,
    compiled: bool | None = None,
) -> Step:
    """One step of a training of `steps`, for `fit` and for timing alike. Evaluate everything that it returns.

    It returns the loss, the gradient's norm before clipping, and all state that it changed. `compiled`
    None compiles where that pays for so many steps on this device (`seqlab.machine.device.settings`).
    """
    gradient = _gradient(model, loss, chosen_precision(precision))
    # With the random state, without which a compiled dropout would use one mask at every step.
    state = [model.state, optimizer.state, mx.random.state]

    def step(*batch: mx.array) -> tuple[mx.array, mx.array]:
        value, gradients = gradient(*batch)
        clipped, norm = optimizers.clip_grad_norm(gradients, max_norm)
        optimizer.update(model, clipped)
        return value, norm

    if compile_pays(model, steps) if compiled is None else compiled:
        optimizer.init(model.trainable_parameters())  # the state must have its final shape
        whole = mx.compile(kernels.compiling()(step), inputs=state, outputs=state)
        plain, unrolled = step, _unrolled(model)

        def step(*batch: mx.array) -> tuple[mx.array, mx.array]:
            chosen = plain if unrolled and _steps_in_time(batch) > LONGEST_COMPILED else whole
            value, norm = chosen(*batch)
            return value, norm

    return lambda *batch: (*step(*batch), state)


def _unrolled(model: nn.Module) -> bool:
    return any(isinstance(part, UnrolledCell) for part in model.modules())


def _steps_in_time(batch: Batch) -> int:
    return max((array.shape[1] for array in batch if array.ndim > 1), default=1)


def compile_pays(model: nn.Module, steps: int) -> bool:
    """Whether a compiled step saves more time over a training of `steps` than compiling takes."""
    settings = device.settings()
    after = settings.compile_unrolled_after if _unrolled(model) else settings.compile_after
    return after is not None and steps >= after


def chosen_precision(precision: str | None) -> Precision:
    """The precision asked for. None is float32, since bfloat16 changes more than a result's last digits."""
    if precision is None:
        return "float32"
    for known in PRECISIONS:
        if precision == known:
            return known
    raise UsageError(unknown("precision", precision, PRECISIONS))


def _gradient(
    model: nn.Module, loss: Loss, precision: Precision
) -> Callable[..., tuple[mx.array, dict[str, Any]]]:
    """The loss and its gradient with respect to the float32 parameters."""
    if precision == "float32":
        both = nn.value_and_grad(model, loss)
        return lambda *batch: both(model, *batch)

    def computed(parameters: dict[str, Any], *batch: mx.array) -> mx.array:
        model.update(_cast(parameters, mx.bfloat16))
        return loss(_InBfloat16(model), *batch).astype(mx.float32)

    differentiate = mx.value_and_grad(computed)

    def gradient(*batch: mx.array) -> tuple[mx.array, dict[str, Any]]:
        kept = model.trainable_parameters()
        value, gradients = differentiate(kept, *batch)
        model.update(kept)
        return value, gradients

    return gradient


class _InBfloat16:
    """The model that the loss is given: it casts inputs to bfloat16 and outputs to float32."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def __call__(self, *inputs: Any) -> Any:
        return _cast(self._model(*_cast(inputs, mx.bfloat16)), mx.float32)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _cast(tree: Any, dtype: mx.Dtype) -> Any:
    """Every floating-point array of a tree as this type; integers, such as tokens, stay as they are."""

    def cast(leaf: Any) -> Any:
        floating = isinstance(leaf, mx.array) and mx.issubdtype(leaf.dtype, mx.floating)
        return leaf.astype(dtype) if floating else leaf

    return tree_map(cast, tree)
