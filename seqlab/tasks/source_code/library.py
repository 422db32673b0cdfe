"""Which files of the standard library train, validate and test, and which tokens do they have?

Tests, the tables of `encodings` and `pydoc_data`, and folders that a newer Python no longer has or that
hold programs rather than a library are left out: under Python 3.11 that leaves 404 files of 8.2 million
characters. Their order is shuffled with a fixed seed; the last tenth is the test, the tenth before it
validates. A file without tokens, or with the tokens of an earlier file, is dropped, so that no file is in two
splits.
"""

import hashlib
import io
import keyword
import os
import random
import sysconfig
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from platform import python_version
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Int32, Int64

from seqlab.errors import DataError
from seqlab.machine.blas import cache_folder
from seqlab.tasks.source_code.tokens import is_identifier, tokens_of

SplitName = Literal["train", "valid", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "valid", "test")
NOT_LIBRARY = frozenset(["site-packages", "dist-packages", "test", "tests", "idle_test"])
# Tables (encodings, pydoc_data), programs (idlelib, turtledemo, ensurepip), and what 3.12 and 3.13 dropped.
LEFT_OUT = frozenset(
    ["distutils", "encodings", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "turtledemo"]
)
MIN_FILES = 200  # Python 3.11 to 3.14 have about twice as many
SHUFFLE_SEED = 0
FORMAT = 1  # of the file in the cache folder


@dataclass(frozen=True, eq=False)
class Files:
    """Whole files, one after another: file f is `tokens[starts[f] : starts[f + 1]]`."""

    names: tuple[str, ...]
    tokens: Int32[np.ndarray, "N"]
    starts: Int64[np.ndarray, "F+1"]

    def file_of(self, at: int) -> int:
        """The file that a position is in."""
        return int(np.searchsorted(self.starts, at, side="right")) - 1


@dataclass(frozen=True, eq=False)
class Library:
    """The files of each split. `vocabulary[i]` is the token with id i, by frequency in the training files."""

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

    def decode(self, ids: Int32[np.ndarray, "L"]) -> list[str]:
        """The tokens that ids stand for."""
        return [self.vocabulary[i] for i in ids]

    @property
    def held_out(self) -> Files:
        """The validation files, then the test files."""
        valid, test = self.valid, self.test
        return Files(
            valid.names + test.names,
            np.concatenate([valid.tokens, test.tokens]),
            np.concatenate([valid.starts, valid.starts[-1] + test.starts[1:]]),
        )

    def kinds(self) -> dict[str, Bool[np.ndarray, "V"]]:
        """For each token, whether it is an identifier, and whether a keyword."""
        return {
            "identifiers": np.array([is_identifier(token) for token in self.vocabulary]),
            "keywords": np.array([keyword.iskeyword(token) for token in self.vocabulary]),
        }

    def describe(self) -> str:
        """What was read, so that another machine can tell whether it reads the same."""
        sizes = ", ".join(
            f"{len(files.names)} files of {len(files.tokens):,} tokens to {purpose}"
            for files, purpose in ((self.train, "train"), (self.valid, "validate"), (self.test, "test"))
        )
        different = int(self.train.tokens.max()) + 1
        return (
            f"Standard library of Python {self.python}: {self.characters:,} characters, {sizes}.\n"
            f"SHA-256 of all files: {self.sha256}\n"
            f"The training files hold {different:,} different words."
        )


@cache  # once a process
def load() -> Library:
    """Read, tokenise and split the library of the Python that runs this.

    The tokens are kept in the cache folder, under a hash of all that was read. Raises `DataError` where
    this Python has no library sources, or they cannot be read.
    """
    sources = read_sources(Path(sysconfig.get_paths()["stdlib"]))
    digest = hashlib.sha256(f"{FORMAT} {python_version()}\n".encode())
    for name, data in sources:
        digest.update(f"{name} {len(data)}\n".encode() + data)
    path = cache_folder() / f"standard-library-{digest.hexdigest()[:16]}.npz"
    tokens, sizes = _cached(path) or (None, None)
    if tokens is None or sizes is None:
        each = [tokens_of(name, data) for name, data in sources]
        tokens, sizes = [token for found in each for token in found], [len(found) for found in each]
        _save(path, tokens, sizes)
    ends = np.cumsum([0, *sizes])
    named = {name: tokens[ends[i] : ends[i + 1]] for i, (name, _) in enumerate(sources)}
    characters = sum(len(data.decode("utf-8", "replace")) for _, data in sources)
    return split_files(named, python=python_version(), sha256=digest.hexdigest(), characters=characters)


def read_sources(folder: Path) -> list[tuple[str, bytes]]:
    """Names and contents of the library's files, sorted by name."""
    advice = "Run Seqlab with a Python that has its library's .py files (Debian: libpython3-stdlib)."
    found = []
    for place, folders, names in os.walk(folder):
        here = Path(place).relative_to(folder).parts
        folders[:] = set(folders) - NOT_LIBRARY - (set() if here else LEFT_OUT)  # walk no further there
        found += [((*here, name), Path(place, name)) for name in names if name.endswith(".py")]
    if len(found) < MIN_FILES:
        raise DataError(
            f"expected {MIN_FILES} or more source files of the standard library in {folder}, "
            f"found {len(found)}. {advice}"
        )
    try:
        return [("/".join(parts), path.read_bytes()) for parts, path in sorted(found)]
    except OSError as error:
        raise DataError(
            f"expected a readable standard library, found {error.filename}: {error.strerror}. {advice}"
        ) from None


def split_files(named: dict[str, list[str]], *, python: str, sha256: str, characters: int) -> Library:
    """Split the files, drop those that repeat another, and number the tokens."""
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
    counts = Counter(token for name in kept["train"] for token in named[name])
    ids = {token: i for i, (token, _) in enumerate(counts.most_common())}
    for name in (*kept["valid"], *kept["test"]):
        for token in named[name]:
            ids.setdefault(token, len(ids))
    parts = {
        split: Files(
            tuple(names),
            np.array([ids[token] for name in names for token in named[name]], np.int32),
            np.cumsum([0, *(len(named[name]) for name in names)]),
        )
        for split, names in kept.items()
    }
    return Library(
        tuple(ids), parts["train"], parts["valid"], parts["test"], python, sha256, characters
    )  # fmt: skip


def _repeats(tokens: tuple[str, ...], seen: set[tuple[str, ...]]) -> bool:
    """Whether these tokens were seen already; from now on they are."""
    if tokens in seen:
        return True
    seen.add(tokens)
    return False


def _cached(path: Path) -> tuple[list[str], list[int]] | None:
    """All tokens, and how many each file has; None where the cache has them not, or not whole."""
    with (
        suppress(OSError, ValueError, KeyError, EOFError, BadZipFile),
        # Its bytes, since NumPy leaves a file open that it cannot read.
        np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file,
    ):
        different = file["different"].tobytes().decode().split("\n")
        return [different[i] for i in file["words"]], file["sizes"].tolist()
    return None


def _save(path: Path, tokens: list[str], sizes: list[int]) -> None:
    """Write aside and rename; a folder that cannot be written to costs the time of tokenising again."""
    different = list(dict.fromkeys(tokens))
    ids = {token: i for i, token in enumerate(different)}
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as aside:
            made = Path(aside) / path.name
            np.savez(
                made,
                different=np.frombuffer("\n".join(different).encode(), np.uint8),
                words=np.array([ids[token] for token in tokens], np.int32),
                sizes=np.array(sizes),
            )
            os.replace(made, path)
