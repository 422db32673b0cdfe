"""In which of several equal forms is a computation written, where the fastest depends on the device?

The forms change the speed and the last digits, never what is computed. The defaults were the fastest
on two x86-64 cores; `seqlab.calibration` times them once per device and calls `use`.
"""

from dataclasses import dataclass
from typing import Literal

from seqlab.errors import UsageError

Tanh = Literal["native", "rational"]
MOST_PARTS = 8  # beyond about 10, the gradient of mx.split costs T² like that of indexing


@dataclass(frozen=True)
class Forms:
    """`split`: parts at each level when time is cut into steps, 2 to 8. `chunk`: a scan's chunks are
    chunk × √T long. `tanh`: MLX's own, or a ratio of polynomials, in large activations.
    """

    split: int = 8
    chunk: float = 1.0
    tanh: Tanh = "rational"

    def __post_init__(self) -> None:
        if not 2 <= self.split <= MOST_PARTS:
            raise UsageError(f"split must be 2 to {MOST_PARTS}, found {self.split}.")
        if self.chunk <= 0:
            raise UsageError(f"chunk must be above 0, found {self.chunk:g}.")
        if self.tanh not in ("native", "rational"):
            raise UsageError(f"tanh must be 'native' or 'rational', found {self.tanh!r}.")


_current = Forms()


def current() -> Forms:
    """The forms in use in this process."""
    return _current


def use(forms: Forms) -> None:
    """Compute in these forms from here on. What was compiled before keeps the old ones."""
    global _current
    _current = forms
