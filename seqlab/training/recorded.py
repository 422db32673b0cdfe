"""What did a training measure, for a page that computes with it as well as yielding it?"""

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

from seqlab.notebook.metrics import Measurement

T = TypeVar("T")


class Recorded(Generic[T]):
    """A training, such as a call of `train`, that keeps its measurements and its result.

    Pass its measurements on as they come with `yield from`, or run it to its end with `finish`.
    """

    def __init__(self, training: Generator[Measurement, None, T]) -> None:
        self._training = training
        self.measurements: list[Measurement] = []
        self.result: T  # once the training has ended

    def __iter__(self) -> Iterator[Measurement]:
        for found in self._run():
            self.measurements.append(found)
            yield found

    def finish(self) -> T:
        """Run all of it; its measurements are kept, and yielded to nobody."""
        for _ in self:
            pass
        return self.result

    def _run(self) -> Iterator[Measurement]:
        self.result = yield from self._training
