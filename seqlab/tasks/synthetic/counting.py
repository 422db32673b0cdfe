"""Counting modulo n (cycle navigation; Delétang et al., 2022): does a model keep its place on a ring?

    inputs    + + - . + + +
    targets   1 2 1 1 2 3 4     (the place on a ring of five)

Every step goes forward, back or nowhere, and every place is asked for. Like parity it is a regular language
whose state every input may change, with more states than two.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """Walks of `length` random steps (ids 0 stay, 1 forward, 2 back) on a ring of `places`."""

    length: int
    places: int = 5

    def __post_init__(self) -> None:
        if self.length < 1 or self.places < 2:
            raise UsageError(
                f"counting needs a length of 1 or more and a ring of 2 places or more, found length "
                f"{self.length} and {self.places} places."
            )

    @property
    def vocabulary(self) -> int:
        """Ids of inputs and of targets."""
        return max(3, self.places)

    @property
    def guess(self) -> float:
        """The accuracy of naming any place, once the walk is long."""
        return 1 / self.places

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets, and which positions are scored (all)."""
        steps = rng.integers(3, size=(size, self.length), dtype=np.int32)
        moves = np.array([0, 1, -1], np.int32)[steps]
        return steps, np.cumsum(moves, axis=1, dtype=np.int32) % self.places, np.ones(steps.shape, bool)
