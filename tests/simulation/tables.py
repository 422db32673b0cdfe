"""Which conditions are simulated, and how are the shares shown? As Markdown tables for docs/verdicts.md."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool

from seqlab.notebook.claims import Outcome
from tests.simulation.ledgers import Condition, Share, kept_promises, simulate
from tests.simulation.noise import NOISES

SHAPES = ((1, 1), (3, 1), (6, 1), (12, 1), (1, 4), (3, 4))  # cells and opponents: the columns
FEW = ((1, 1), (3, 1), (1, 4))  # where more cells can only make it rarer
SEEDS, LOOKS = (5, 10, 20), (5, 10, 20, 40)
DISTANCES = (0.2, 0.5, 0.8, 1.5)  # standard deviations from the threshold, for the promises
LAST = 160  # seeds: the largest promise
DECIDED = tuple(outcome for outcome in Outcome if outcome not in (Outcome.INCONCLUSIVE, Outcome.NOT_TESTED))


@dataclass(frozen=True)
class Question:
    """A table: a row for each noise and number of seeds, a column for each number of opponents and cells."""

    title: str
    seeds: Sequence[int]
    make: Callable[[str, int, int, int], Condition]  # noise, seeds, cells, opponents
    counts: tuple[Outcome, ...]
    noises: Sequence[str] = NOISES
    shapes: Sequence[tuple[int, int]] = SHAPES


def _fixed(beyond: float, estimand: str) -> Callable[[str, int, int, int], Condition]:
    def make(noise: str, seeds: int, cells: int, opponents: int) -> Condition:
        return Condition(
            noise=noise, seeds=seeds, cells=cells, opponents=opponents, beyond=beyond, estimand=estimand
        )

    return make


def _equal(noise: str, seeds: int, cells: int, opponents: int) -> Condition:
    return Condition(noise=noise, seeds=seeds, cells=cells, opponents=opponents, equal=True)


def _looking(noise: str, seeds: int, cells: int, opponents: int) -> Condition:
    return Condition(noise=noise, seeds=seeds, cells=cells, opponents=opponents, looks=LOOKS)


QUESTIONS = (
    Question("Wrong: any verdict with the truth at the threshold", SEEDS, _fixed(0, "trimmed"), DECIDED),
    Question(
        "Wrong, looking after 5, 10, 20 and 40 seeds until decided", (40,), _looking, DECIDED, shapes=FEW
    ),
    Question('Wrong: a model against itself is "supported"', SEEDS, _equal, (Outcome.SUPPORTED,), shapes=FEW),
    Question(
        'Right: "supported", 1.5 standard deviations beyond the threshold',
        (10,),
        _fixed(1.5, "trimmed"),
        (Outcome.SUPPORTED,),
    ),
    Question(
        'Right: "not supported", 1.5 standard deviations on the other side',
        (10,),
        _fixed(-1.5, "trimmed"),
        (Outcome.NOT_SUPPORTED,),
    ),
    Question(
        "Wrong, were the truth the mean, the rarest seeds included",
        SEEDS,
        _fixed(0, "mean"),
        DECIDED,
        noises=("log-normal", "outlier"),
        shapes=FEW,
    ),
)


def tables(ledgers: int, processes: int) -> Iterator[str]:
    """One table after the other, in per cent of so many ledgers a condition."""
    asked = [
        question.make(noise, seeds, cells, opponents)
        for question in QUESTIONS
        for noise in question.noises
        for seeds in question.seeds
        for cells, opponents in question.shapes
    ]
    promises = [Condition(noise="normal", seeds=LAST, beyond=distance) for distance in DISTANCES]
    yield f"{ledgers:,} ledgers a condition, in per cent; columns: cells × opponents."
    with Pool(processes) as pool:
        shares = pool.imap(partial(simulate, ledgers=ledgers), asked)
        for question in QUESTIONS:
            yield _table(question, shares)
        kept = pool.map(partial(kept_promises, ledgers=ledgers), promises)
    yield _promises(kept)


def _table(question: Question, shares: Iterable[Share]) -> str:
    head = [f"{cells} × {opponents}" for cells, opponents in question.shapes]
    lines = ["| noise | seeds | " + " | ".join(head) + " |", "| --- " + "| ---: " * (1 + len(head)) + "|"]
    shown = iter(shares)
    for noise in question.noises:
        for seeds in question.seeds:
            cells = [f"{100 * next(shown).of(*question.counts):.1f}" for _ in head]
            lines.append(f"| {noise} | {seeds} | " + " | ".join(cells) + " |")
    return f"**{question.title}**\n\n" + "\n".join(lines)


def _promises(kept: Sequence[tuple[int, int]]) -> str:
    lines = ["| distance, standard deviations | promised | kept |", "| ---: | ---: | ---: |"]
    lines += [
        f"| {distance} | {promised} | {100 * held / promised if promised else 0:.0f} |"
        for distance, (promised, held) in zip(DISTANCES, kept, strict=True)
    ]
    title = "Ledgers whose verdict at 5 seeds named a number of further seeds, and per cent that it decided"
    return f"**{title}**\n\n" + "\n".join(lines)
