"""How long does a training step take, and how much work is it, in networks of equal parameters or equal work?

The Transformer's size follows from the width. Every other network gets the hidden size that gives it as many
parameters or, in the view of equal work, as much work a training step. All are language models on random
tokens, of a vocabulary so small that the head takes little of the step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.blocks import Arm, Times, time_blocks
from seqlab.measure.flops import size_of_equal_work
from seqlab.models.backbones import BACKBONES, TRANSFORMER, Size, TokenHead, matched_hidden
from seqlab.training.step import LONGEST_COMPILED, compile_pays
from seqlab.training.token_step import faster_compiled, forward_arm, random_tokens, step_arm, step_flops

HEAD = TokenHead(vocabulary=64)
SEQUENTIAL = ("RNN", "LSTM", "GRU")  # they must take their steps in order
View = Literal["equal parameters", "equal work"]
PARAMETERS: View = "equal parameters"
WORK: View = "equal work"


@dataclass(frozen=True)
class Cell:
    """What the networks of a comparison have in common: tokens a sequence, sequences, features, the view."""

    length: int
    batch: int
    width: int
    view: View = PARAMETERS


def language_model(name: str, cell: Cell, hidden: int, *, seed: int = 0) -> nn.Module:
    """A network of this hidden size between an embedding and logits, its first weights drawn with `seed`."""
    mx.random.seed(seed)  # also a fresh key: counting walks every draw that is still to be computed
    return HEAD(BACKBONES[name](Size(cell.width, length=cell.length), hidden))


@cache  # the same for every seed
def work(name: str, cell: Cell, hidden: int) -> int:
    """FLOP of one training step."""
    model = language_model(name, cell, hidden)
    return step_flops(model, batch=cell.batch, length=cell.length, sequential=name in SEQUENTIAL)


@cache  # the same for every seed
def hidden_size(name: str, cell: Cell) -> int:
    """The size that gives a network the parameters, or its training step the work, of the Transformer's."""
    if name == TRANSFORMER or cell.view == PARAMETERS:
        return matched_hidden(name, Size(cell.width, length=cell.length), HEAD)
    return size_of_equal_work(
        partial(work, name, cell),
        work(TRANSFORMER, cell, hidden_size(TRANSFORMER, cell)),
        tried=(cell.width // 4, cell.width // 2, cell.width),
        low=cell.width // 8,
        high=16 * cell.width,
    )


@cache  # for all seeds: they have the same shapes
def compiles(name: str, cell: Cell, *, steps: int, both_ways: bool) -> bool:
    """Whether to compile the step: as the device's settings have it for a run of `steps`, or the faster way.

    With `both_ways`, the step is timed compiled and uncompiled. A long recurrence is never compiled.
    """
    if name in SEQUENTIAL and cell.length > LONGEST_COMPILED:
        return False
    if both_ways:
        return faster_compiled(lambda compiled: arms(name, cell, compiled=compiled, seed=0)[0])
    return compile_pays(language_model(name, cell, hidden_size(name, cell)), steps)


def arms(name: str, cell: Cell, *, compiled: bool, seed: int) -> tuple[Arm, Arm]:
    """A training step on random tokens, and the forward pass alone."""
    model = language_model(name, cell, hidden_size(name, cell), seed=seed)
    batch = random_tokens(HEAD.vocabulary, batch=cell.batch, length=cell.length)
    mx.eval(model.parameters(), batch)
    return step_arm(model, batch, compiled=compiled), forward_arm(model, batch, compiled=compiled)


def time_side_by_side(
    compiled: Mapping[str, bool], cell: Cell, *, blocks: int, seed: int, forward: bool
) -> dict[str, tuple[Times, Times | None]]:
    """The times of each network's training step and, with `forward`, of its forward pass, in common blocks.

    `compiled` says for each network to be timed whether its step is compiled.
    """
    steps, forwards = {}, {}
    for name, compile_step in compiled.items():
        steps[name], forwards[f"{name}, forward"] = arms(name, cell, compiled=compile_step, seed=seed)
    together = steps | forwards if forward else steps
    # No further warm-up: the first call, which is kept apart, was one.
    found = time_blocks(together, blocks=blocks, rng=np.random.default_rng(seed), warmup_steps=0)
    return {name: (found[name], found.get(f"{name}, forward")) for name in steps}
