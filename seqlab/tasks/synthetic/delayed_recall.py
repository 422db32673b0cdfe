"""Delayed recall: can a model remember one symbol while irrelevant ones follow?

    inputs    s2 n1 n4 n4 n2 n3 ?
    targets   .  .  .  .  .  .  s2     (the symbol, `delay` steps after its input)

In the spirit of the latching task of Bengio et al. (1994): the symbol to remember comes first, noise of other
ids follows, and only the last step is scored. The symbol always stands at the first step, so that only the
distance makes the task hard.
"""

from dataclasses import dataclass

import numpy as np

from seqlab.tasks.synthetic.labelling import Labelled, answered_at_end, require


@dataclass(frozen=True)
class Task:
    """A symbol of `symbols`, noise of as many other ids, and the question (id 0) `delay` steps later."""

    delay: int
    symbols: int = 4

    def __post_init__(self) -> None:
        require("delayed recall", delay=(self.delay, 1), symbols=(self.symbols, 2))

    @property
    def vocabulary(self) -> int:
        """Ids: the question, the symbols, the noise."""
        return 1 + 2 * self.symbols

    @property
    def chance_level(self) -> float:
        """The accuracy of a random symbol."""
        return 1 / self.symbols

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        inputs = rng.integers(1 + self.symbols, self.vocabulary, size=(size, self.delay + 1), dtype=np.int32)
        inputs[:, 0] = rng.integers(1, 1 + self.symbols, size=size)
        inputs[:, -1] = 0
        return answered_at_end(inputs, inputs[:, :1])
