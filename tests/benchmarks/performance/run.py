"""How is a whole benchmark run: worker by worker, case by case?"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from seqlab.machine.settings import Settings
from tests.benchmarks.performance.blocks import time_blocks
from tests.benchmarks.performance.cases import EAGER, Case, Contender, contenders
from tests.benchmarks.performance.rows import Profile, Row
from tests.benchmarks.performance.worker import Ready, Worker

TOLERANCE = 1e-3  # relative; the same weights on the same batch
SAME_TOKENS = 0.95  # a near tie may fall either way, and what follows then differs


@dataclass(frozen=True)
class Plan:
    """Who takes part and how long: `blocks` of `block_seconds` a contender, about.

    A contender whose blocks would take longer than `patience` seconds in all takes part in fewer. MLX has
    these `settings`; every library has their number of threads.
    """

    settings: Settings
    compiled: bool = True
    pytorch: bool = True
    blocks: int = 7
    block_seconds: float = 0.2
    patience: float = 10.0


def measure(wanted: list[Case], plan: Plan) -> Iterator[Row]:
    """Each case, timed; a line on stderr says which is in hand."""
    rng = np.random.default_rng(0)
    with ExitStack() as stack:
        lasting: dict[Contender, Worker] = {}
        # A new process has no kernels: each compiled training starts cold, and each model's decoding once.
        for _, cases in groupby(wanted, key=lambda case: case.model if case.phase == "decoding" else case):
            with ExitStack() as passing:
                fresh: dict[Contender, Worker] = {}
                for case in cases:
                    tell(f"{case.model}, {case.phase} at {case.length}, batch {case.batch}")
                    workers = {}
                    for contender in contenders(case, compiled=plan.compiled, pytorch=plan.pytorch):
                        kept, keeper = (fresh, passing) if contender.compiled else (lasting, stack)
                        if contender not in kept:
                            kept[contender] = keeper.enter_context(Worker(contender, plan.settings))
                        workers[contender] = kept[contender]
                    yield row(case, workers, plan, rng)


def row(case: Case, workers: dict[Contender, Worker], plan: Plan, rng: np.random.Generator) -> Row:
    """One case by all of its contenders, each with our weights."""
    ready: dict[str, Ready] = {}
    for contender, worker in workers.items():  # ours comes first
        weights = ready[EAGER.name].weights if ready else None
        ready[contender.name] = worker.prepare(case, weights)
        check_same(case, contender, ready[contender.name], ready[EAGER.name])
    timings = time_blocks(
        {contender.name: worker for contender, worker in workers.items()},
        {name: one.first_seconds for name, one in ready.items()},
        blocks=plan.blocks,
        block_seconds=plan.block_seconds,
        patience=plan.patience,
        rng=rng,
    )
    return Row(case, timings)


def check_same(case: Case, contender: Contender, found: Ready, ours: Ready) -> None:
    """Raise `RuntimeError` unless a contender's first loss and gradient, or its tokens, are ours."""
    if case.phase != "decoding":
        largest = np.abs(ours.outcome).max()
        same = bool(np.abs(found.outcome - ours.outcome).max() <= TOLERANCE * largest)
    else:
        same = float(np.mean(found.outcome == ours.outcome)) >= SAME_TOKENS
    if not same:
        raise RuntimeError(
            f"{contender.name} computes something else than ours for {case}: expected {ours.outcome}, "
            f"found {found.outcome}."
        )
    if abs(found.gradient - ours.gradient) > TOLERANCE * ours.gradient:
        raise RuntimeError(
            f"{contender.name} has another gradient than ours for {case}: expected the norm "
            f"{ours.gradient:g}, found {found.gradient:g}."
        )


def profiles(wanted: list[Case], settings: Settings) -> list[Profile]:
    """Our eager form of each case, taken apart in a process of its own."""
    with Worker(EAGER, settings) as worker:
        found = []
        for case in wanted:
            tell(f"{case.model}, profile of {case.phase} at {case.length}, batch {case.batch}")
            found.append(worker.profile(case))
        return found


def tell(what: str) -> None:
    """Say what is in hand, apart from the tables."""
    print(f"{what} ...", file=sys.stderr, flush=True)
