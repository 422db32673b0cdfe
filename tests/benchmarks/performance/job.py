"""What does a library hand over, so that any contender can be timed, weighed and compared?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.benchmarks.performance.cases import Weights


@dataclass(frozen=True)
class Job:
    """One case, ready to run. `step` does its work before it returns, and returns what it computed.

    `step` is timed; `reset`, before each, is not. A step makes `parts` equal parts (tokens). `peak` gives
    the bytes that the library's own allocator held at most during a step, beyond what was there before.
    """

    step: Callable[[], np.ndarray]
    peak: Callable[[], int]
    weights: Weights
    reset: Callable[[], Any] = lambda: None
    parts: int = 1
