"""How does a network of a small vocabulary read and predict names that it has never seen?

Its vocabulary holds the most frequent tokens of the training files. All other tokens, mostly names that only
one file uses, go through a table of numbered slots, which is empty at the beginning of every file: a token
takes a free slot when it first appears, or else the slot that was used longest ago. A network can therefore
predict "the name in slot 7 again", and so complete names that are not in the training files. Where a token is
not in the table, the target is `NEW`, and no prediction counts as a completion there, since nothing in the
input tells the name. Slot numbers carry no meaning, so in training the slots of every window are shuffled.

Names could also be split into subwords (Karampatsis and Sutton, 2019). Then a token of code is several steps,
so a window reaches less far back, and the task is spelling as much as code.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from seqlab.errors import UsageError
from seqlab.tasks.source_code.library import Files, Library

NEW = 0  # as a target: a token that is neither common nor in the table; as an input: a file begins


@dataclass(frozen=True, eq=False)
class Encoded:
    """A split as a network reads it: at each token its input (the token before) and its target."""

    inputs: Int32[np.ndarray, "N"]
    targets: Int32[np.ndarray, "N"]
    tokens: Int32[np.ndarray, "N"]
    starts: Int64[np.ndarray, "F+1"]


class SlotTable:
    """Which token of a file has which slot, from 1; where all are taken, the least recently used one goes."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._slot_of: OrderedDict[int, int] = OrderedDict()  # the least recently used first

    def read(self, token: int) -> tuple[int, int]:
        """The slot that the token had before, `NEW` where none, and the one that it has from here on."""
        before = self._slot_of.pop(token, NEW)
        now = before
        if before == NEW:
            full = len(self._slot_of) == self.slots
            now = self._slot_of.popitem(last=False)[1] if full else len(self._slot_of) + 1
        self._slot_of[token] = now
        return before, now

    def tokens(self) -> dict[int, int]:
        """The token of each slot that is taken."""
        return {slot: token for token, slot in self._slot_of.items()}


@dataclass(frozen=True)
class Coding:
    """Ids of a network: `NEW`, then the slots, then the most frequent tokens, `size` in all."""

    size: int
    slots: int

    def __post_init__(self) -> None:
        if not 1 <= self.slots <= self.size - 2:
            raise UsageError(
                f"expected 1 to {self.size - 2} slots in a vocabulary of {self.size}, found {self.slots}."
            )

    @property
    def common(self) -> int:
        """How many tokens have an id of their own."""
        return self.size - 1 - self.slots

    def encode(self, files: Files) -> Encoded:
        """A split as a network reads it."""
        ids, targets = files.tokens + 1 + self.slots, files.tokens + 1 + self.slots
        rare = files.tokens >= self.common
        for begin, end in zip(files.starts[:-1], files.starts[1:], strict=True):
            table = SlotTable(self.slots)
            for i in begin + np.flatnonzero(rare[begin:end]):
                targets[i], ids[i] = table.read(int(files.tokens[i]))
        inputs = np.concatenate([[NEW], ids[:-1]]).astype(np.int32)
        inputs[files.starts[:-1]] = NEW
        return Encoded(inputs, targets, files.tokens, files.starts)

    def decode(self, ids: Iterable[int], library: Library, before: Int32[np.ndarray, "N"]) -> list[str]:
        """The tokens that ids stand for after the file's tokens `before`; `<name …>` for an empty slot."""
        table = SlotTable(self.slots)
        for token in before[before >= self.common].tolist():
            table.read(token)
        taken = {slot: library.vocabulary[token] for slot, token in table.tokens().items()}
        return [
            library.vocabulary[i - 1 - self.slots] if i > self.slots else taken.get(i, f"<name {i}>")
            for i in ids
        ]

    def coverage(self, targets: Int32[np.ndarray, "N"]) -> str:
        """How many of the test targets that are scored a network can predict, in words."""
        common, slot, new = (
            f"{share.mean():.1%}"
            for share in (targets > self.slots, (targets > NEW) & (targets <= self.slots), targets == NEW)
        )
        return (
            f"Of the {len(targets):,} test tokens that are scored, {common} are among the networks' "
            f"{self.common:,} common words, {slot} are in a slot, and {new} are new to them: no network can "
            "complete these."
        )

    def batches(
        self, encoded: Encoded, rng: np.random.Generator, *, batch: int, length: int
    ) -> Iterator[tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"]]]:
        """Inputs and targets without end: windows from random places, none over a file's border."""
        sizes = np.diff(encoded.starts)
        inside = np.arange(len(encoded.tokens)) + length <= np.repeat(encoded.starts[1:], sizes)
        places = np.flatnonzero(inside)
        if length < 1 or not len(places):
            raise UsageError(f"expected a length of 1 to {sizes.max()}, found {length}. Set another.")
        straight = np.tile(np.arange(self.size, dtype=np.int32), (batch, 1))
        while True:
            at = rng.choice(places, batch)[:, None] + np.arange(length)
            names = straight.copy()
            names[:, 1 : 1 + self.slots] = rng.permuted(straight[:, 1 : 1 + self.slots], axis=1)
            yield (
                np.take_along_axis(names, encoded.inputs[at], axis=1),
                np.take_along_axis(names, encoded.targets[at], axis=1),
            )
