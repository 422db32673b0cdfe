"""The running Python's standard library as tokens, split by file: what is typed next?

    source   for name in names:  # a comment
                 print(f"{name}: {names[name]}", 1)
    words    for name in names : <newline> <indent> print ( <string> , <number> ) <newline> …

Comments and blank lines are dropped; strings (with all that an f-string holds) and numbers are one word each.
Tests, the tables of `encodings` and `pydoc_data`, and folders that a newer Python no longer has or that
hold programs rather than a library are left out: under Python 3.11 that leaves 404 files of 8.2 million
characters. Their order is shuffled with a fixed seed; the last tenth is the test, the tenth before it
validates. A file that says nothing new (equal words to an earlier one, or none at all) is dropped, so that
none is on two sides.

A network has a vocabulary of the words most frequent in the training files. All other words, mostly names
that one file alone uses, go through a table of numbered slots, which begins empty with every file: a word
takes a free slot when it first appears, else the one that was used longest ago. So a network can say "the
name in slot 7 again", which is how it completes names that it never met in training. Where a word is not in
the table, the right answer is `NEW`, and no answer counts as a completion there: nobody could know it. Which
slot a name takes means nothing, so in training the slots of every window are shuffled.

Names could also be spelt in pieces of words (Karampatsis and Sutton, 2019). Then one token of code is several
steps, so a window reaches less far back, and what is asked is spelling as much as code.
"""

import hashlib
import io
import keyword
import os
import random
import sysconfig
import tempfile
import tokenize
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from platform import python_version
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Int32, Int64

from seqlab.errors import DataError, UsageError
from seqlab.machine.blas import cache_folder

SplitName = Literal["train", "valid", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "valid", "test")
NOT_LIBRARY = frozenset(["site-packages", "dist-packages", "test", "tests", "idle_test"])
# Tables (encodings, pydoc_data), programs (idlelib, turtledemo, ensurepip), and what 3.12 and 3.13 dropped.
LEFT_OUT = frozenset(
    ["distutils", "encodings", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "turtledemo"]
)
FEWEST = 200  # files; Python 3.11 to 3.14 have about twice as many
SHUFFLE_SEED = 0
FORMAT = 1  # of the file in the cache folder

NEWLINE, INDENT, DEDENT, STRING, NUMBER = "<newline>", "<indent>", "<dedent>", "<string>", "<number>"
MARKS = {
    tokenize.NEWLINE: NEWLINE,
    tokenize.INDENT: INDENT,
    tokenize.DEDENT: DEDENT,
    tokenize.STRING: STRING,
    tokenize.NUMBER: NUMBER,
}
DROPPED = frozenset([tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER])
# From 3.12 and 3.14 on, strings with fields are several tokens between these.
OPENING = frozenset(
    getattr(tokenize, name) for name in ("FSTRING_START", "TSTRING_START") if hasattr(tokenize, name)
)
CLOSING = frozenset(
    getattr(tokenize, name) for name in ("FSTRING_END", "TSTRING_END") if hasattr(tokenize, name)
)

NEW = 0  # as a target: a word that is neither common nor in the table; as an input: a file begins


@dataclass(frozen=True, eq=False)
class Files:
    """Whole files, one after another: file f is `words[starts[f] : starts[f + 1]]`."""

    names: tuple[str, ...]
    words: Int32[np.ndarray, "N"]
    starts: Int64[np.ndarray, "F+1"]


@dataclass(frozen=True, eq=False)
class Library:
    """The files of each split. `vocabulary[i]` is the word with id i, the most frequent in training first."""

    vocabulary: tuple[str, ...]
    train: Files
    valid: Files
    test: Files
    python: str
    sha256: str  # of all files that were read, names included
    characters: int

    def files(self, split: SplitName) -> Files:
        """The named split's."""
        found: Files = getattr(self, split)
        return found

    @property
    def held_out(self) -> Files:
        """The validation files, then the test files."""
        valid, test = self.valid, self.test
        return Files(
            valid.names + test.names,
            np.concatenate([valid.words, test.words]),
            np.concatenate([valid.starts, valid.starts[-1] + test.starts[1:]]),
        )

    def kinds(self) -> dict[str, Bool[np.ndarray, "V"]]:
        """For each word, whether it is an identifier, and whether a keyword."""
        return {
            "identifiers": np.array([is_name(word) for word in self.vocabulary]),
            "keywords": np.array([keyword.iskeyword(word) for word in self.vocabulary]),
        }


@cache  # once a process
def load() -> Library:
    """Read, tokenise and split the library of the Python that runs this.

    The words are kept in the cache folder, under a hash of all that was read. Raises `DataError` where
    this Python has no library sources, or they cannot be read.
    """
    folder = Path(sysconfig.get_paths()["stdlib"])
    sources = read(folder)
    digest = hashlib.sha256(f"{FORMAT} {python_version()}\n".encode())
    for name, data in sources:
        digest.update(f"{name} {len(data)}\n".encode() + data)
    kept = cache_folder() / f"standard-library-{digest.hexdigest()[:16]}.npz"
    words, sizes = _kept(kept) or (None, None)
    if words is None or sizes is None:
        each = [tokens(name, data) for name, data in sources]
        words, sizes = [word for found in each for word in found], [len(found) for found in each]
        _keep(kept, words, sizes)
    ends = np.cumsum([0, *sizes])
    named = {name: words[ends[i] : ends[i + 1]] for i, (name, _) in enumerate(sources)}
    characters = sum(len(data.decode("utf-8", "replace")) for _, data in sources)
    return arrange(named, python=python_version(), sha256=digest.hexdigest(), characters=characters)


def read(folder: Path) -> list[tuple[str, bytes]]:
    """Names and contents of the library's files, sorted by name."""
    advice = "Run Seqlab with a Python that has its library's .py files (Debian: libpython3-stdlib)."
    found = []
    for place, folders, names in os.walk(folder):
        here = Path(place).relative_to(folder).parts
        folders[:] = set(folders) - NOT_LIBRARY - (set() if here else LEFT_OUT)  # walk no further there
        found += [((*here, name), Path(place, name)) for name in names if name.endswith(".py")]
    if len(found) < FEWEST:
        raise DataError(
            f"expected {FEWEST} or more source files of the standard library in {folder}, "
            f"found {len(found)}. {advice}"
        )
    try:
        return [("/".join(parts), path.read_bytes()) for parts, path in sorted(found)]
    except OSError as error:
        raise DataError(
            f"expected a readable standard library, found {error.filename}: {error.strerror}. {advice}"
        ) from None


def tokens(name: str, data: bytes) -> list[str]:
    """The words of one file. Raises `DataError` where this Python cannot read it."""
    words: list[str] = []
    inside = 0  # strings with fields, one within another
    try:
        for kind, text, *_ in tokenize.tokenize(io.BytesIO(data).readline):
            if kind in OPENING:
                inside += 1
            elif kind in CLOSING:
                inside -= 1
                if not inside:
                    words.append(STRING)
            elif not inside and kind not in DROPPED:
                words.append(MARKS.get(kind, text))
    except (SyntaxError, tokenize.TokenError) as error:
        raise DataError(
            f"expected Python that Python {python_version()} reads in {name}, found an error: {error}. "
            "Reinstall this Python."
        ) from None
    return words


def arrange(named: dict[str, list[str]], *, python: str, sha256: str, characters: int) -> Library:
    """Split the files, drop what repeats, and number the words."""
    order = list(named)
    random.Random(SHUFFLE_SEED).shuffle(order)
    tenth = len(order) // 10
    cut = len(order) - 2 * tenth
    split_names = {
        "train": order[:cut], "valid": order[cut : cut + tenth], "test": order[cut + tenth :]
    }  # fmt: skip
    seen: set[tuple[str, ...]] = {()}
    kept: dict[str, list[str]] = {}
    for split in SPLITS:
        kept[split] = [name for name in split_names[split] if not _repeats(tuple(named[name]), seen)]
    counts = Counter(word for name in kept["train"] for word in named[name])
    ids = {word: i for i, (word, _) in enumerate(counts.most_common())}
    for name in (*kept["valid"], *kept["test"]):
        for word in named[name]:
            ids.setdefault(word, len(ids))
    parts = {
        split: Files(
            tuple(names),
            np.array([ids[word] for name in names for word in named[name]], np.int32),
            np.cumsum([0, *(len(named[name]) for name in names)]),
        )
        for split, names in kept.items()
    }
    return Library(
        tuple(ids), parts["train"], parts["valid"], parts["test"], python, sha256, characters
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Encoded:
    """A split as a network reads it: at each word what comes in (the word before) and what is asked."""

    inputs: Int32[np.ndarray, "N"]
    targets: Int32[np.ndarray, "N"]
    words: Int32[np.ndarray, "N"]
    starts: Int64[np.ndarray, "F+1"]


@dataclass(frozen=True, eq=False)
class Windows:
    """Where a split is scored: positions [K L] in it, and at which of them.

    A file's first window is scored whole, the others in their second half, so that but at a file's
    beginning all answers rest on half a window or more. What lies beyond a file's end is not scored.
    """

    at: Int64[np.ndarray, "K L"]
    scored: Bool[np.ndarray, "K L"]


class Table:
    """Which word of a file has which slot, from 1; where all are taken, the longest unused goes."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._slot_of: OrderedDict[int, int] = OrderedDict()  # the longest unused first

    def read(self, word: int) -> tuple[int, int]:
        """The slot that the word had before, `NEW` where none, and the one that it has from here on."""
        before = self._slot_of.pop(word, NEW)
        now = before
        if before == NEW:
            full = len(self._slot_of) == self.slots
            now = self._slot_of.popitem(last=False)[1] if full else len(self._slot_of) + 1
        self._slot_of[word] = now
        return before, now

    def words(self) -> dict[int, int]:
        """The word of each slot that is taken."""
        return {slot: word for word, slot in self._slot_of.items()}


@dataclass(frozen=True)
class Coding:
    """Ids of a network: `NEW`, then the slots, then the most frequent words, `size` in all."""

    size: int
    slots: int

    def __post_init__(self) -> None:
        if not 1 <= self.slots <= self.size - 2:
            raise UsageError(
                f"expected 1 to {self.size - 2} slots in a vocabulary of {self.size}, found {self.slots}."
            )

    @property
    def common(self) -> int:
        """How many words have an id of their own."""
        return self.size - 1 - self.slots

    def encode(self, files: Files) -> Encoded:
        """A split as a network reads it."""
        ids, targets = files.words + 1 + self.slots, files.words + 1 + self.slots
        rare = files.words >= self.common
        for begin, end in zip(files.starts[:-1], files.starts[1:], strict=True):
            table = Table(self.slots)
            for i in begin + np.flatnonzero(rare[begin:end]):
                targets[i], ids[i] = table.read(int(files.words[i]))
        inputs = np.concatenate([[NEW], ids[:-1]]).astype(np.int32)
        inputs[files.starts[:-1]] = NEW
        return Encoded(inputs, targets, files.words, files.starts)

    def decode(self, ids: Iterable[int], library: Library, before: Int32[np.ndarray, "N"]) -> list[str]:
        """The words that ids stand for after the file's words `before`; `<name …>` for a slot not taken."""
        table = Table(self.slots)
        for word in before[before >= self.common].tolist():
            table.read(word)
        taken = {slot: library.vocabulary[word] for slot, word in table.words().items()}
        return [
            library.vocabulary[i - 1 - self.slots] if i > self.slots else taken.get(i, f"<name {i}>")
            for i in ids
        ]

    def batches(
        self, encoded: Encoded, rng: np.random.Generator, *, batch: int, length: int
    ) -> Iterator[tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"]]]:
        """Inputs and targets without end: windows from random places, none over a file's border."""
        sizes = np.diff(encoded.starts)
        inside = np.arange(len(encoded.words)) + length <= np.repeat(encoded.starts[1:], sizes)
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


def windows(files: Files | Encoded, *, length: int, scored: int | None = None) -> Windows:
    """Windows over a split, evenly spread so that about `scored` words count; None scores every word."""
    if length < 2:
        raise UsageError(f"expected windows of 2 words or more, found {length}. Set another length.")
    half = length // 2
    begins, ends, first = [], [], []
    for begin, end in zip(files.starts[:-1], files.starts[1:], strict=True):
        own = np.arange(begin, max(begin + 1, end - length + half), half)
        begins.append(own)
        ends.append(np.full(len(own), end))
        first.append(own == begin)
    at = np.concatenate(begins)[:, None] + np.arange(length)
    end, whole = np.concatenate(ends)[:, None], np.concatenate(first)[:, None]
    counts = (at < end) & (whole | (np.arange(length) >= length - half))
    if scored is not None and scored < counts.sum():
        wanted = max(1, round(len(at) * scored / counts.sum()))
        some = np.linspace(0, len(at) - 1, wanted).round().astype(int)
        at, counts, end = at[some], counts[some], end[some]
    return Windows(np.minimum(at, end - 1), counts)


def repeated(words: Int32[np.ndarray, "K L"]) -> Bool[np.ndarray, "K L"]:
    """Whether each word has come before it in its window."""
    before = [(words[:, :i] == words[:, i, None]).any(axis=1) for i in range(words.shape[1])]
    return np.stack(before, axis=1)


def is_name(word: str) -> bool:
    """An identifier, keywords excepted."""
    return word.isidentifier() and not keyword.iskeyword(word)


def written(words: Iterable[str]) -> str:
    """Words of a line as one would type them, near enough to read."""
    text, before = "", ""
    for word in words:
        shown = {NEWLINE: "⏎", INDENT: "", DEDENT: "", STRING: '"…"', NUMBER: "0"}.get(word, word)
        tight = (
            not text or not shown or word in CLOSERS or before in OPENERS
            or (word in "([" and (is_name(before) or before in ")]"))
        )  # fmt: skip
        text += shown if tight else " " + shown
        before = word
    return text


OPENERS = ("(", "[", "{", ".", "@", "~")
CLOSERS = (")", "]", "}", ".", ",", ":", ";", NEWLINE)


def _repeats(words: tuple[str, ...], seen: set[tuple[str, ...]]) -> bool:
    """Whether these words were seen already; they are now."""
    if words in seen:
        return True
    seen.add(words)
    return False


def _kept(path: Path) -> tuple[list[str], list[int]] | None:
    """Words and sizes of the files, as they were kept; None where they were not, or not whole."""
    with (
        suppress(OSError, ValueError, KeyError, EOFError, BadZipFile),
        # Its bytes, since NumPy leaves a file open that it cannot read.
        np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept,
    ):
        different = kept["different"].tobytes().decode().split("\n")
        return [different[i] for i in kept["words"]], kept["sizes"].tolist()
    return None


def _keep(path: Path, words: list[str], sizes: list[int]) -> None:
    """Write aside and rename; a folder that cannot be written to costs the time of tokenising again."""
    different = list(dict.fromkeys(words))
    ids = {word: i for i, word in enumerate(different)}
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as aside:
            made = Path(aside) / path.name
            np.savez(
                made,
                different=np.frombuffer("\n".join(different).encode(), np.uint8),
                words=np.array([ids[word] for word in words], np.int32),
                sizes=np.array(sizes),
            )
            os.replace(made, path)
