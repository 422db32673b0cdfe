"""Counting modulo n (cycle navigation; Delétang et al., 2022): can a model track its position on a ring?

    inputs    + + - . + + +
    targets   1 2 1 1 2 3 4     (the position on a ring of five)

Each step moves forward, back or not at all, and the position is scored after every step. Like parity it is a
regular language in which every input may change the state, but it has more than two states.
"""

from dataclasses import dataclass

import numpy as np

from seqlab.tasks.synthetic.labelling import Labelled, require


@dataclass(frozen=True)
class Task:
    """Walks of `length` random steps (ids 0 stay, 1 forward, 2 back) on a ring of `places` positions."""

    length: int
    places: int = 5

    def __post_init__(self) -> None:
        require("counting", length=(self.length, 1), places=(self.places, 2))

    @property
    def vocabulary(self) -> int:
        """Ids of inputs and of targets."""
        return max(3, self.places)

    @property
    def chance_level(self) -> float:
        """The accuracy of a random position, once the walk is long."""
        return 1 / self.places

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        """`size` fresh sequences: inputs, targets, and which positions are scored (all)."""
        steps = rng.integers(3, size=(size, self.length), dtype=np.int32)
        moves = np.array([0, 1, -1], np.int32)[steps]
        return steps, np.cumsum(moves, axis=1, dtype=np.int32) % self.places, np.ones(steps.shape, bool)
