"""Secondary structure of proteins: is each residue of a chain part of a helix, of a strand, or of neither?

    residue   M  S  N  E  E  L  I  K  R  V  K  V  T  V  N  …
    eight     L  L  S  H  H  H  H  H  H  T  E  E  E  E  E  …      DSSP (Kabsch and Sander, 1983)
    three     C  C  C  H  H  H  H  H  H  C  E  E  E  E  E  …

DSSP assigns one of eight states from the three-dimensional structure: H (α helix), G (3₁₀ helix),
I (π helix), E (strand), B (bridge), T (turn), S (bend) and L, which is none of them. Here H, G and I count as
helix, E and B as strand, the rest as coil. Q8 and Q3 are the accuracies over eight states and three classes.
Every residue has a state, though some may have L because the structure does not locate them.

Chains come from ProteinNet's CASP12 set (AlQuraishi, 2019), by way of SidechainNet. Training and validation
use some of the chains that it thinned to 30 % identity, of 40 to 256 residues; the test uses its validation
chains, of 20 to 689. Sixteen of the 3,000 training chains are excluded: they share 40 or more consecutive
residues with a validation chain or, one of them, with a test chain, mostly as a domain of the whole chain.

Published for the whole split: the most frequent class always, 42.9 % (Q3) and 33.6 % (Q8); logistic
regression on a window of 17 residues, 64.0 % and 51.3 %, as done here.
"""

import lzma
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int32

from seqlab.errors import DataError, UsageError
from seqlab.tasks import files

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
PADDING = len(AMINO_ACIDS)  # the id beyond a chain's end
VOCABULARY = len(AMINO_ACIDS) + 1
STATES = "HGIEBTSL"
CLASSES = ("helix", "strand", "coil")
CLASS_OF_STATE = np.array([0, 0, 0, 1, 1, 2, 2, 2], np.int32)
# They share 40 or more consecutive residues with a validation chain, the third with the test chain
# 50#4KU0_1_A. Shorter stretches in common are purification tags, which unrelated proteins have.
EXCLUDED = frozenset(
    (
        *("1FP0_1_A", "1GMJ_1_A", "1K28_d1k28a2", "1M4M_1_A", "2CVE_d2cvea1", "2KC2_1_A", "2KIQ_1_A"),
        *("2LXP_3_C", "2XY2_1_A", "2YT1_1_A", "3DEO_1_A", "3M91_2_B", "3PRO_2_C", "4BXU_1_A", "4J8E_1_A"),
        "4O32_d4o32c1",
    )
)
WINDOW = 17  # residues that logistic regression sees: eight to either side
ITERATIONS = 25  # of its solver; with 60, validation Q3 and Q8 change by less than 0.001


@dataclass(frozen=True)
class Chain:
    """A protein chain: its name, its residues (indices in AMINO_ACIDS) and their states (in STATES)."""

    name: str
    residues: Int32[np.ndarray, "L"]
    states: Int32[np.ndarray, "L"]

    def __len__(self) -> int:
        return len(self.residues)

    @property
    def classes(self) -> Int32[np.ndarray, "L"]:
        """The class of each residue, of three."""
        classes: np.ndarray = CLASS_OF_STATE[self.states]
        return classes


# Probabilities of the eight states at each residue of each chain.
Predictor = Callable[[Sequence[Chain]], list[Float[np.ndarray, "L 8"]]]


@dataclass(frozen=True)
class Proteins:
    """The task."""

    train: tuple[Chain, ...]
    valid: tuple[Chain, ...]
    test: tuple[Chain, ...]

    def batches(
        self, rng: np.random.Generator, *, batch: int, length: int
    ) -> Iterator[tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]]:
        """Training batches without end: residues, states, and which are real.

        Longer chains are cropped to `length` residues at a random place, anew each time. Chains of similar
        length share a batch, so that there is little padding: each epoch is shuffled, and every sixteen
        batches of it are sorted by length. An epoch's incomplete last batch is left out.
        """
        if not 1 <= batch <= len(self.train):
            raise UsageError(
                f"expected a batch of 1 to {len(self.train)} chains, found {batch}. Set another."
            )
        if length < 1:
            raise UsageError(f"chains must be cut to 1 residue or more, found length {length}.")
        lengths = np.minimum([len(chain) for chain in self.train], length)
        while True:
            order = rng.permutation(len(self.train))
            pools = np.split(order, range(16 * batch, len(order), 16 * batch))
            by_length = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
            rows = np.split(by_length, range(batch, len(order), batch))[: len(order) // batch]
            for at in rng.permutation(len(rows)):
                yield padded([cropped(self.train[row], length, rng) for row in rows[at]])


def cropped(chain: Chain, length: int, rng: np.random.Generator) -> Chain:
    """At most `length` consecutive residues, from a random place."""
    start = int(rng.integers(max(0, len(chain) - length) + 1))
    kept = slice(start, start + length)
    return Chain(chain.name, chain.residues[kept], chain.states[kept])


def padded(
    chains: Sequence[Chain], *, multiple: int = 32
) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
    """Residues, states, and which are real, padded on the right.

    The length is rounded up to a multiple, so that few shapes occur and a step is seldom compiled anew.
    """
    length = -(-max(map(len, chains)) // multiple) * multiple
    residues = np.full((len(chains), length), PADDING, np.int32)
    states = np.zeros_like(residues)
    for row, chain in enumerate(chains):
        residues[row, : len(chain)], states[row, : len(chain)] = chain.residues, chain.states
    return residues, states, np.arange(length) < np.array([len(chain) for chain in chains])[:, None]


def length_buckets(chains: Sequence[Chain], *, residues: int) -> Iterator[list[int]]:
    """Indices of chains of similar length, shortest first, at most `residues` with padding, or one chain."""
    bucket: list[int] = []
    for index in sorted(range(len(chains)), key=lambda index: len(chains[index])):
        if bucket and (len(bucket) + 1) * len(chains[index]) > residues:
            yield bucket
            bucket = []
        bucket.append(index)
    if bucket:
        yield bucket


@cache
def load() -> Proteins:
    """Read the three splits. Raises `DataError` where the file is missing, altered or malformed."""
    text = lzma.decompress(files.path("protein_q8.tsv.xz").read_bytes()).decode("ascii")
    split: dict[str, list[Chain]] = {"train": [], "valid": [], "test": []}
    for line in text.splitlines():
        part, name, sequence, states = line.split("\t")
        if name not in EXCLUDED:
            split[part].append(parsed(name, sequence, states))
    return Proteins(**{part: tuple(chains) for part, chains in split.items()})


def parsed(name: str, sequence: str, states: str) -> Chain:
    """A chain from its letters. Raises `DataError` for an unknown letter, or unequal numbers of letters."""
    if len(sequence) != len(states):
        raise DataError(
            f"chain {name} needs a state for each of its {len(sequence)} residues, found {len(states)}."
        )
    return Chain(name, _indices(name, sequence, AMINO_ACIDS), _indices(name, states, STATES))


def _indices(name: str, letters: str, alphabet: str) -> Int32[np.ndarray, "L"]:
    table = np.full(128, -1, np.int32)
    table[np.frombuffer(alphabet.encode(), np.uint8)] = np.arange(len(alphabet))
    found = table[np.frombuffer(letters.encode("ascii"), np.uint8)]
    if (found < 0).any():
        raise DataError(
            f"chain {name} may hold the letters {alphabet} only, found {letters[int(np.argmin(found))]!r}."
        )
    return found


@dataclass(frozen=True)
class Score:
    """Accuracies `q8` and `q3`, the recall of each class, and Q3 by length of chain.

    A key of `q3_by_length` is the least length of its chains, a power of two; the next is twice as long.
    """

    q8: float
    q3: float
    recall: dict[str, float]
    q3_by_length: dict[int, float]


def evaluate(predict: Predictor, chains: Sequence[Chain]) -> Score:
    """Score whole chains."""
    predicted = predict(chains)
    states = np.concatenate([chain.states for chain in chains])
    classes = CLASS_OF_STATE[states]
    correct8 = np.concatenate([each.argmax(axis=1) for each in predicted]) == states
    correct3 = np.concatenate([predicted_classes(each) for each in predicted]) == classes
    least = np.concatenate([np.full(len(chain), length_group(len(chain))) for chain in chains])
    return Score(
        q8=float(correct8.mean()),
        q3=float(correct3.mean()),
        recall={
            name: float(correct3[classes == number].mean())
            for number, name in enumerate(CLASSES)
            if (classes == number).any()
        },
        q3_by_length={int(group): float(correct3[least == group].mean()) for group in np.unique(least)},
    )


def length_group(length: int) -> int:
    """The largest power of two within the length, but 32 at least, as few chains are shorter."""
    return max(32, 1 << (length.bit_length() - 1))


def predicted_classes(probabilities: Float[np.ndarray, "L 8"]) -> Int32[np.ndarray, "L"]:
    """The most probable class of three at each residue; a class has the sum of its states' probabilities."""
    predicted: np.ndarray = (probabilities @ np.eye(len(CLASSES))[CLASS_OF_STATE]).argmax(axis=1)
    return predicted.astype(np.int32)


def majority(proteins: Proteins) -> Predictor:
    """The frequency of each state in the training chains, whatever the residue."""
    states = np.concatenate([chain.states for chain in proteins.train])
    shares = np.bincount(states, minlength=len(STATES)) / len(states)
    return lambda chains: [np.tile(shares, (len(chain), 1)) for chain in chains]


def logistic_regression(proteins: Proteins) -> Predictor:
    """Multinomial, on the one-hot residues of a window of 17, padded beyond the ends of a chain."""
    from scipy.sparse import csr_matrix  # takes a second to import, and only the baseline needs it
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    def windows(chains: Sequence[Chain]) -> csr_matrix:
        side = WINDOW // 2
        ends = np.full(side, PADDING, np.int32)
        columns = np.concatenate(
            [
                np.lib.stride_tricks.sliding_window_view(np.concatenate([ends, chain.residues, ends]), WINDOW)
                for chain in chains
            ]
        ) + VOCABULARY * np.arange(WINDOW, dtype=np.int32)
        starts = np.arange(0, columns.size + 1, WINDOW, dtype=np.int32)
        ones = np.ones(columns.size, np.float32)
        return csr_matrix((ones, columns.ravel(), starts), shape=(len(columns), VOCABULARY * WINDOW))

    model = LogisticRegression(max_iter=ITERATIONS)
    with warnings.catch_warnings(), threadpool_limits(1):  # more threads do not help products of 8 columns
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early, on purpose
        model.fit(windows(proteins.train), np.concatenate([chain.states for chain in proteins.train]))
    present = model.classes_

    def predict(chains: Sequence[Chain]) -> list[np.ndarray]:
        probabilities = np.zeros((sum(map(len, chains)), len(STATES)))
        probabilities[:, present] = model.predict_proba(windows(chains))
        return np.split(probabilities, np.cumsum([len(chain) for chain in chains])[:-1])

    return predict
