"""Characters of nineteen plays by Shakespeare: seventeen to train, one to validate, one to test.

    inputs   "FIRST WITCH.\\nWhen shall we three meet agai"
    targets  "IRST WITCH.\\nWhen shall we three meet again"

Whole plays are kept apart, so that no model has seen the characters or the scenes of the test play in
training. The score is bits per character: the mean of -log2 p(target). The baseline is an n-gram model
(`seqlab.tasks.kneser_ney`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Int32

from seqlab.errors import UsageError
from seqlab.tasks import files

SplitName = Literal["train", "valid", "test"]
PLAYS: dict[SplitName, tuple[str, ...]] = {
    "train": (
        "Macbeth", "Othello", "Julius Caesar", "The Merchant of Venice", "As You Like It",
        "All's Well That Ends Well", "Antony and Cleopatra", "The Comedy of Errors", "Coriolanus",
        "King John", "Measure for Measure", "The Merry Wives of Windsor", "Richard II", "Richard III",
        "The Taming of the Shrew", "The Two Gentlemen of Verona", "The Winter's Tale",
    ),
    "valid": ("Twelfth Night",),
    "test": ("The Tempest",),
}  # fmt: skip

Pair = tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"]]


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be hashed
class Characters:
    """The task. `alphabet[i]` is the character with id `i`; it holds the characters of the training plays."""

    alphabet: str
    train: Int32[np.ndarray, "train"]
    valid: Int32[np.ndarray, "valid"]
    test: Int32[np.ndarray, "test"]

    @property
    def vocabulary(self) -> int:
        """How many different ids there are."""
        return len(self.alphabet)

    def ids(self, split: SplitName, characters: int | None = None) -> Int32[np.ndarray, "N"]:
        """The split's first `characters` ids; `None` means all of them."""
        found: np.ndarray = getattr(self, split)
        return found[:characters]

    def encode(self, text: str) -> Int32[np.ndarray, "L"]:
        """The ids of a text's characters, all of which are in the alphabet."""
        return np.array([self.alphabet.index(character) for character in text], np.int32)

    def decode(self, ids: Int32[np.ndarray, "L"]) -> str:
        """The text that ids stand for."""
        return "".join(self.alphabet[i] for i in ids)

    def batches(self, rng: np.random.Generator, *, batch: int, length: int) -> Iterator[Pair]:
        """Training batches without end: inputs and targets (one character on), from random places."""
        if not 1 <= length < len(self.train):
            raise UsageError(
                f"expected a length of 1 to {len(self.train) - 1} characters, found {length}. Set another."
            )
        span = np.arange(length + 1)
        while True:
            starts = rng.integers(len(self.train) - length, size=batch)
            window = self.train[starts[:, None] + span]
            yield window[:, :-1], window[:, 1:]

    def batches_once(
        self, rng: np.random.Generator, *, batch: int, length: int, characters: int
    ) -> Iterator[Pair]:
        """Training batches of so many characters in all: windows in random order, none of them twice.

        Windows do not overlap. Characters after the last whole batch are left out.
        """
        inputs, targets = self.windows("train", length=length)
        steps = characters // (batch * length)
        if not 1 <= steps * batch <= len(inputs):
            raise UsageError(
                f"expected {batch * length} to {len(inputs) * length} characters to train on, "
                f"found {characters}. Set another amount."
            )
        order = rng.permutation(len(inputs))[: steps * batch].reshape(steps, batch)
        return ((inputs[rows], targets[rows]) for rows in order)

    def windows(
        self, split: SplitName, *, length: int, characters: int | None = None, stride: int | None = None
    ) -> Pair:
        """Inputs and targets of windows over the split's first `characters`; `None` means all of it.

        Windows begin `stride` characters apart; without one, `length` apart, so that their targets cover the
        text once and do not overlap. Characters after the last whole window are left out.
        """
        ids = self.ids(split, characters)
        if not 1 <= length < len(ids):
            raise UsageError(
                f"expected a length of 1 to {len(ids) - 1}, found {length}. Set another, or more characters."
            )
        window = np.lib.stride_tricks.sliding_window_view(ids, length + 1)[:: stride or length]
        return window[:, :-1], window[:, 1:]


@cache  # once a process
def load() -> Characters:
    """Read and encode. Raises `DataError` where the file is missing or altered."""
    plays = files.texts("shakespeare_plays.json.xz")
    text = {split: "\n\n".join(plays[title] for title in titles) for split, titles in PLAYS.items()}
    alphabet = "".join(sorted(set(text["train"])))
    code = np.full(128, -1, np.int32)  # the packaged text is ASCII
    code[[ord(character) for character in alphabet]] = np.arange(len(alphabet))
    ids = {split: code[np.frombuffer(text[split].encode("ascii"), np.uint8)] for split in text}
    return Characters(alphabet, ids["train"], ids["valid"], ids["test"])
