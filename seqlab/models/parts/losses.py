"""Cross-entropy losses."""

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float, Integer

from seqlab.machine import kernels
from seqlab.models.parts.activations import LOG2_E, power_of_two


def cross_entropy(
    logits: Float[mx.array, "... V"],
    targets: Integer[mx.array, "..."],
    counted: Bool[mx.array, "..."] | None = None,
) -> Float[mx.array, ""]:
    """Mean of log Σ e^logit minus the target's logit, in nats. A logit of -inf excludes its class.

    With `counted`, the mean over the positions where it is True, at least one.
    """
    if kernels.current().exp == "native" or logits.dtype != mx.float32:
        return _mean(nn.losses.cross_entropy(logits, targets, reduction="none"), counted)
    highest = mx.stop_gradient(mx.max(logits, axis=-1, keepdims=True))
    powers = power_of_two((logits - highest) * LOG2_E)
    total = mx.log(mx.sum(powers, axis=-1)) + highest.squeeze(-1)
    target_logits = mx.take_along_axis(logits, targets[..., None], axis=-1).squeeze(-1)
    return _mean(total - target_logits, counted)


def _mean(losses: Float[mx.array, "..."], counted: Bool[mx.array, "..."] | None) -> Float[mx.array, ""]:
    if counted is None:
        return mx.mean(losses)
    return mx.sum(mx.where(counted, losses, 0)) / mx.sum(counted)


def token_loss(
    model: nn.Module, tokens: Integer[mx.array, "B L"], targets: Integer[mx.array, "B L"]
) -> Float[mx.array, ""]:
    """`cross_entropy` of the logits at each token: for the next token or, with an encoder, for its label."""
    return cross_entropy(model(tokens), targets)
