"""In-context Markov chains (Edelman et al., 2024): can a model learn a language from the text in front of it?

    chain      each sequence has its own: a row of transition probabilities for each of `states` states
    inputs     2 0 1 1 2 0 1 0 ...
    targets    0 1 1 2 0 1 0 2 ...     (one token on)

Every row is drawn uniformly from the simplex (a Dirichlet distribution with all parameters 1), so nothing can
be learnt of the chains beforehand but how to read them. Three ways to answer know more and more:

    uniform    each state is as likely as any other: guessing
    unigram    as often as it came so far: (count of c + 1) / (t + states)
    bigram     as often as it came so far after the present state: (count of s c + 1) / (count of s + states)

The bigram answer is the best that there is, the mean of the posterior. It needs the distant past of the
sequence: wherever the present state came before. The first step is drawn uniformly.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int32

from seqlab.errors import UsageError

Way = Literal["uniform", "unigram", "bigram"]


@dataclass(frozen=True)
class Task:
    """Sequences of `length` inputs over `states` states."""

    length: int
    states: int

    def __post_init__(self) -> None:
        if self.length < 2 or self.states < 2:
            raise UsageError(
                f"a chain needs a length and states of 2 or more, found {self.length} and {self.states}."
            )

    @property
    def vocabulary(self) -> int:
        """Ids of inputs and of targets: the states."""
        return self.states

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"]]:
        """`size` fresh sequences, each of a chain of its own: inputs, and targets one step on."""
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
        """The probabilities of the next state at every step that this way gives."""
        uniform = np.full((*inputs.shape, self.states), 1 / self.states)
        if way == "uniform":
            return uniform
        came = np.eye(self.states)[inputs]  # one at the state of each step
        if way == "unigram":
            counts = np.cumsum(came, axis=1)
        else:
            pairs = came[:, :-1, :, None] * came[:, 1:, None, :]  # s then c, by the step of c
            so_far = np.zeros((*inputs.shape, self.states, self.states))
            so_far[:, 1:] = np.cumsum(pairs, axis=1)
            counts = np.take_along_axis(so_far, inputs[:, :, None, None], axis=2)[:, :, 0]
        probabilities: np.ndarray = (counts + 1) / (counts + 1).sum(axis=2, keepdims=True)
        return probabilities
