"""In-context Markov chains (Edelman et al., 2024): can a model infer a chain from its context?

    chain      one for each sequence: a row of transition probabilities for each of `states` states
    inputs     2 0 1 1 2 0 1 0 ...
    targets    0 1 1 2 0 1 0 2 ...     (one token on)

Every row is drawn uniformly from the simplex (a Dirichlet distribution with all parameters 1), so training
teaches nothing about a new chain except how to infer it. Three baselines use more and more of the context:

    uniform    every state is equally likely: the chance level
    unigram    the frequency of a state so far: (count of c + 1) / (t + states)
    bigram     its frequency so far after the current state: (count of s c + 1) / (count of s + states)

The bigram baseline is optimal: it is the posterior mean. It needs the distant past of the sequence, wherever
the current state occurred before. The first step is drawn uniformly.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int32

from seqlab.tasks.synthetic.labelling import require

Way = Literal["uniform", "unigram", "bigram"]


@dataclass(frozen=True)
class Task:
    """Sequences of `length` inputs over `states` states."""

    length: int
    states: int

    def __post_init__(self) -> None:
        require("Markov chain", length=(self.length, 2), states=(self.states, 2))

    @property
    def vocabulary(self) -> int:
        """Ids of inputs and of targets: the states."""
        return self.states

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"]]:
        """`size` fresh sequences, each from its own chain: inputs, and targets one step on."""
        chains = np.cumsum(rng.dirichlet(np.ones(self.states), size=(size, self.states)), axis=2)
        drawn = rng.random((size, self.length + 1))
        tokens = np.zeros((size, self.length + 1), np.int32)
        tokens[:, 0] = drawn[:, 0] * self.states
        rows = np.arange(size)
        for step in range(1, self.length + 1):
            reached = chains[rows, tokens[:, step - 1]] < drawn[:, step : step + 1]
            # The last sum may fall short of 1 by a rounding error.
            tokens[:, step] = np.minimum(reached.sum(axis=1), self.states - 1)
        return tokens[:, :-1], tokens[:, 1:]

    def answers(self, way: Way, inputs: Int32[np.ndarray, "B L"]) -> Float64[np.ndarray, "B L V"]:
        """A baseline's probabilities of the next state, at every step."""
        uniform = np.full((*inputs.shape, self.states), 1 / self.states)
        if way == "uniform":
            return uniform
        seen = np.eye(self.states)[inputs]  # one-hot states
        if way == "unigram":
            counts = np.cumsum(seen, axis=1)
        else:
            pairs = seen[:, :-1, :, None] * seen[:, 1:, None, :]  # s then c, by the step of c
            so_far = np.zeros((*inputs.shape, self.states, self.states))
            so_far[:, 1:] = np.cumsum(pairs, axis=1)
            counts = np.take_along_axis(so_far, inputs[:, :, None, None], axis=2)[:, :, 0]
        probabilities: np.ndarray = (counts + 1) / (counts + 1).sum(axis=2, keepdims=True)
        return probabilities
