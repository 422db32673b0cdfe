"""Attention equals PyTorch's, outputs and gradients, with the weights copied over. Needs PyTorch."""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from seqlab.models import encoder_decoder, transformer
from seqlab.models.parts.attention import Attention, Block, cross_attention_mask
from seqlab.models.parts.positions import PositionalEncoding

torch = pytest.importorskip("torch")

BATCH, LENGTH, SOURCE, WIDTH, HEADS, HIDDEN = 3, 7, 5, 12, 3, 20
REAL = np.arange(LENGTH) < np.array([7, 4, 1])[:, None]
SOURCE_REAL = np.arange(SOURCE) < np.array([5, 3, 1])[:, None]
FUTURE = torch.triu(torch.ones(LENGTH, LENGTH, dtype=torch.bool), diagonal=1)  # True where masked

Arrays = dict[str, np.ndarray]
Names = Callable[[Arrays], Arrays]  # their parameters, or gradients, under our names


def part(arrays: Arrays, prefix: str) -> Arrays:
    return {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}


def put(prefix: str, arrays: Arrays) -> Arrays:
    return {prefix + name: value for name, value in arrays.items()}


def self_attention(theirs: Arrays) -> Arrays:
    return {
        "to_qkv.weight": theirs["in_proj_weight"],
        "to_qkv.bias": theirs["in_proj_bias"],
        **put("to_output.", part(theirs, "out_proj.")),
    }


def cross_attention(theirs: Arrays) -> Arrays:
    found = put("to_output.", part(theirs, "out_proj."))
    for leaf in ("weight", "bias"):
        rows = theirs[f"in_proj_{leaf}"]
        found |= {f"to_q.{leaf}": rows[:WIDTH], f"to_kv.{leaf}": rows[WIDTH:]}
    return found


def layer(theirs: Arrays, *, last_norm: str) -> Arrays:
    return {
        **put("attention.", self_attention(part(theirs, "self_attn."))),
        **put("attention_norm.", part(theirs, "norm1.")),
        **put("mlp.norm.", part(theirs, f"{last_norm}.")),
        **put("mlp.widen.", part(theirs, "linear1.")),
        **put("mlp.narrow.", part(theirs, "linear2.")),
    }


def encoder_layer(theirs: Arrays) -> Arrays:
    return layer(theirs, last_norm="norm2")


def decoder_layer(theirs: Arrays) -> Arrays:
    return {
        **layer(theirs, last_norm="norm3"),
        **put("cross.", cross_attention(part(theirs, "multihead_attn."))),
        **put("cross_norm.", part(theirs, "norm2.")),
    }


def compare(
    ours: nn.Module,
    theirs: Any,
    names: Names,
    *,
    run: Any,
    torch_run: Any,
    inputs: list[np.ndarray],
    real: Any,
) -> None:
    """Outputs at real positions, and gradients of every parameter and input, to 1e-4."""
    generator = torch.Generator().manual_seed(0)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    copied = names({name: value.detach().numpy() for name, value in theirs.named_parameters()})
    assert copied.keys() == dict(tree_flatten(ours.parameters())).keys()
    ours.load_weights([(name, mx.array(value)) for name, value in copied.items()])
    weights = np.random.default_rng(1).normal(size=inputs[0].shape).astype(np.float32) * real

    given = [torch.tensor(value, requires_grad=True) for value in inputs]
    expected = torch_run(*given)
    (expected * torch.tensor(weights)).sum().backward()

    def loss(parameters: Any, inputs: list[mx.array]) -> mx.array:
        ours.update(parameters)
        return mx.sum(mx.array(weights) * run(*inputs))

    arrays = [mx.array(value) for value in inputs]
    found = np.array(run(*arrays))
    gradients, slopes = mx.grad(loss, argnums=(0, 1))(ours.parameters(), arrays)
    np.testing.assert_allclose(found * real, expected.detach().numpy() * real, rtol=1e-4, atol=1e-5)
    by_name = names({name: value.grad.numpy() for name, value in theirs.named_parameters()})
    for name, gradient in tree_flatten(gradients):
        np.testing.assert_allclose(gradient, by_name[name], rtol=1e-4, atol=1e-4, err_msg=name)
    for slope, value in zip(slopes, given, strict=True):
        np.testing.assert_allclose(slope, value.grad.numpy(), rtol=1e-4, atol=1e-4)


def inputs_of(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.normal(size=(BATCH, length, WIDTH)).astype(np.float32) for length in lengths]


def our_mask(x: mx.array, *, causal: bool, padded: bool) -> Any:
    encoding = PositionalEncoding(transformer.Config(WIDTH, heads=HEADS, positions="none"))
    return encoding.attention_mask(x, causal=causal, mask=mx.array(REAL) if padded else None)


def their_masks(*, causal: bool, padded: bool) -> tuple[Any, Any]:
    return FUTURE if causal else None, torch.tensor(~REAL) if padded else None


MASKS = pytest.mark.parametrize(
    "mask",
    [{"causal": causal, "padded": padded} for causal in (False, True) for padded in (False, True)],
    ids=["none", "padding", "causal", "causal and padding"],
)


@MASKS
def test_multi_head_attention(mask: dict[str, bool]) -> None:
    theirs = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    ours = Attention(width=WIDTH, heads=HEADS, rotary=False)
    future, padding = their_masks(**mask)
    compare(
        ours,
        theirs,
        self_attention,
        run=lambda x: ours(x, our_mask(x, **mask)),
        torch_run=lambda x: theirs(x, x, x, attn_mask=future, key_padding_mask=padding, need_weights=False)[
            0
        ],
        inputs=inputs_of(LENGTH),
        real=REAL[..., None] if mask["padded"] else 1,
    )


@MASKS
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer(mask: dict[str, bool], activation: str) -> None:
    theirs = torch.nn.TransformerEncoderLayer(
        WIDTH,
        HEADS,
        HIDDEN,
        dropout=0,
        activation="relu"
        if activation == "relu"
        else lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        batch_first=True,
        norm_first=True,
    )
    config = transformer.Config(WIDTH, heads=HEADS, hidden=HIDDEN, activation=activation)
    ours = Block(config, rotary=False)
    future, padding = their_masks(**mask)
    compare(
        ours,
        theirs,
        encoder_layer,
        run=lambda x: ours(x, our_mask(x, **mask)),
        torch_run=lambda x: theirs(x, src_mask=future, src_key_padding_mask=padding),
        inputs=inputs_of(LENGTH),
        real=REAL[..., None] if mask["padded"] else 1,
    )


@pytest.mark.parametrize("padded", [False, True])
def test_decoder_layer_with_cross_attention(padded: bool) -> None:
    theirs = torch.nn.TransformerDecoderLayer(
        WIDTH, HEADS, HIDDEN, dropout=0, activation="relu", batch_first=True, norm_first=True
    )
    config = encoder_decoder.Config(9, WIDTH, heads=HEADS, hidden=HIDDEN)
    ours = encoder_decoder.DecoderBlock(config, rotary=False)
    mask = mx.array(SOURCE_REAL) if padded else None
    compare(
        ours,
        theirs,
        decoder_layer,
        run=lambda y, source: ours(
            y,
            "causal",
            ours.cross.project(source, mask),
            None if mask is None else cross_attention_mask(mask),
        ),
        torch_run=lambda y, source: theirs(
            y, source, tgt_mask=FUTURE, memory_key_padding_mask=torch.tensor(~SOURCE_REAL) if padded else None
        ),
        inputs=inputs_of(LENGTH, SOURCE),
        real=1,
    )
