"""Parity: can a model keep one bit of state that every input may flip?

    inputs    1 0 0 1 1 0 1
    targets   1 1 1 0 1 1 0     (the number of ones so far, modulo 2)

Every position is scored, or only the last. A model that has learned the rule rather than the training lengths
scores as well on longer sequences (Delétang et al., 2022).
"""

from dataclasses import dataclass

import numpy as np

from seqlab.tasks.synthetic.labelling import Labelled, require


@dataclass(frozen=True)
class Task:
    """Sequences of `length` random bits; `every_step` scores each prefix, else only the last."""

    length: int
    every_step: bool = True

    def __post_init__(self) -> None:
        require("parity", length=(self.length, 1))

    @property
    def vocabulary(self) -> int:
        """Ids of inputs and of targets: the two bits."""
        return 2

    @property
    def chance_level(self) -> float:
        """The accuracy of a coin toss."""
        return 1 / 2

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        """`size` fresh sequences: inputs, targets, and which positions are scored."""
        bits = rng.integers(2, size=(size, self.length), dtype=np.int32)
        scored = np.full(bits.shape, self.every_step)
        scored[:, -1] = True
        return bits, np.cumsum(bits, axis=1, dtype=np.int32) % 2, scored
