"""How does a layer with states h_t = a_t h_{t-1} + b_t train by a parallel scan and decode step by step?

Gates and states are float32 whatever the type of the inputs. bfloat16 has no number between 1 - 2^-8 and 1,
so a gate could only keep a state for ever or forget it within a few hundred steps.
"""

from abc import abstractmethod
from dataclasses import dataclass

import mlx.core as mx
from jaxtyping import Float

from seqlab.models.parts.checks import check_choice
from seqlab.models.parts.recurrence import Cell, CellState, RecurrentConfig
from seqlab.models.parts.scan import SCANS, Scan


@dataclass(frozen=True)
class ScannedConfig(RecurrentConfig):
    """Sizes; `scan` is the algorithm of the scan. All give equal results (see `parts.scan`)."""

    scan: Scan = "chunked"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("scan", self.scan, SCANS)


class ScannedCell(Cell):
    """A layer whose a_t and b_t depend on x_t alone and whose output is its state."""

    def __init__(self, config: ScannedConfig) -> None:
        super().__init__()
        self.units = config.units
        self.scan = config.scan

    @abstractmethod
    def coefficients(
        self, x: Float[mx.array, "... D"]
    ) -> tuple[Float[mx.array, "... H"], Float[mx.array, "... H"]]:
        """a and b of each step, in float32."""

    def extend(
        self, x: Float[mx.array, "B L D"], state: CellState | None
    ) -> tuple[Float[mx.array, "B L H"], CellState]:
        """The outputs of L more steps, by a scan, and the new state."""
        h = SCANS[self.scan](*self.coefficients(x), None if state is None else state[0])
        return h.astype(x.dtype), (h[:, -1],)

    def step(self, x: Float[mx.array, "B D"], state: CellState) -> tuple[Float[mx.array, "B H"], CellState]:
        """The output of one more step, by the recurrence, and the new state."""
        a, b = self.coefficients(x)
        h = a * state[0] + b
        return h.astype(x.dtype), (h,)
