"""Configure, run, measure, record, analyse, chart, render: the whole job, on one screen.

The desk (pandas, seaborn, engines) is imported only once something has to be judged or drawn, so that
a command with nothing to do answers at once. Measured numbers are safe before the desk begins: a
failure there costs no result.
"""

import argparse
import fcntl
import json
import math
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.document import attachments
from seqlab.engines.choice import choose
from seqlab.errors import NothingRanError, RenderError, StoreError, UsageError
from seqlab.machine import blas
from seqlab.notebook.ledger import Entry
from seqlab.notebook.ledger import read as read_ledger
from seqlab.running.execute import Plan, execute, fix_rules_of
from seqlab.running.fingerprint import Fingerprints
from seqlab.running.plan import Request, due_trials, runs_that_count, trials
from seqlab.store.database import Store

if TYPE_CHECKING:  # the desk is not imported to look at a type
    from seqlab.analysis.findings import PageFindings

PACKAGE = Path(__file__).resolve().parent
# Each holds a model's memory, and one trial of a small model keeps a core and a little more busy.
MOST_JOBS = 8
GLANCE = "report/glance.sha256"  # of the last report that went well


@dataclass(frozen=True)
class Place:
    """Where the project lies and where its results go."""

    root: Path
    results: Path

    @classmethod
    def of(cls, root: Path | None, results: Path | None) -> "Place":
        """The given folders, else the current one, else the checkout that this package lies in."""
        here = Path.cwd()
        root = root or (here if (here / "experiments").is_dir() else PACKAGE.parent)
        return cls(root.resolve(), (results or root / "results").resolve())

    @property
    def database(self) -> Path:
        return self.results / "seqlab.db"

    @property
    def words(self) -> Path:
        return self.root / "report"


@dataclass(frozen=True)
class Options:
    """How to run and render, beside what to run."""

    device: str | None = None
    memory_gib: float | None = None
    jobs: int | None = None
    dry_run: bool = False
    engine: str = "auto"
    run: bool = True

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Options":
        if options.memory is not None and not 0 < options.memory < math.inf:
            raise UsageError(f"--memory must be above 0 GiB, found {options.memory:g}.")
        if options.jobs is not None and options.jobs < 1:
            raise UsageError(f"--jobs must be 1 or more, found {options.jobs}.")
        return cls(
            options.device,
            options.memory,
            options.jobs,
            options.dry_run,
            getattr(options, "engine", "auto"),
            not getattr(options, "no_run", False),
        )


@dataclass(frozen=True)
class Work:
    """What a command works on: the plans of its pages, the broken pages, the claims, the device."""

    plans: tuple[Plan, ...]
    broken: Mapping[str, str]
    ledger: Mapping[str, Entry]
    device: tuple[str, str, str]  # kind, name, MLX version
    sources: str  # a hash of all files that pages, words and our own code were read from


def configure(
    place: Place, asked: Request, store: Store, *, names: Sequence[str] | None, kind: str | None
) -> Work:
    """Read the pages and the ledger; plan every trial of the named pages (all of them for None)."""
    blas.load()  # before anything imports MLX
    sources = _sources(place)  # before they are read: what is edited from here on makes the report stale
    from seqlab.machine import device as devices
    from seqlab.notebook.discover import discover

    ledger = read_ledger(place.words / "claims.toml")
    device = devices.current(kind)
    pages = discover(place.root / "experiments", ledger)
    plans, codes = [], Fingerprints(place.results / ".fingerprints.json")
    for name in names if names is not None else pages.experiments:
        experiment, page = pages.named(name), pages.path(name)
        planned = trials(experiment, asked)
        code = codes.of(page)
        wanted = due_trials(
            planned,
            store.records(name),
            fingerprint=code,
            device=device.name,
            mlx=device.mlx,
            force=asked.force,
        )
        plans.append(Plan(experiment, page, code, planned, tuple(wanted)))
    codes.keep()
    broken = dict(pages.broken) if names is None else {}
    return Work(tuple(plans), broken, ledger, (device.kind, device.name, device.mlx), sources)


def run(place: Place, asked: Request, *, names: Sequence[str], options: Options) -> int:
    """`seqlab run`: run the named pages, then print what they show and their verdicts."""
    with _alone(place), Store(place.database) as store:
        work = configure(place, asked, store, names=list(dict.fromkeys(names)), kind=options.device)
        if options.dry_run:
            return _print_due(work)
        fix_rules(work, store)
        failed = measure(place, work, store, options)
        from seqlab.document.terminal import print_findings

        found = analyse(work, evidence_runs(work, store), store, asked=asked)
        attach(place, found, store)
        print_findings(found, store, results=place.results)
    return 1 if failed else 0


def report(place: Place, asked: Request, *, names: Sequence[str] | None, options: Options) -> int:
    """`seqlab report`: run what is due, judge, draw and render; a second time, do nothing."""
    with _alone(place), Store(place.database) as store:
        plain = options.run and not (options.dry_run or asked.force)
        asks = _asks(asked, names, options) if plain else ""
        if plain and _as_it_was(place, _glance(place, asks, store, _sources(place))):
            return 0
        work = configure(place, asked, store, names=names, kind=options.device)
        if options.dry_run:
            return _print_due(work)
        if options.engine != "auto":  # one that was asked for must be there before hours are spent
            choose(options.engine)
        fix_rules(work, store)
        failed = measure(place, work, store, options) if options.run else 0
        evidence = evidence_runs(work, store)
        render(place, work, evidence, store, asked=asked, engine=options.engine)
        if not any(evidence.values()) and not work.broken:
            raise NothingRanError(
                "nothing ran and nothing is stored: the report is empty. Give `seqlab report`."
            )
        failing = any(_failures(store, numbers) for numbers in evidence.values())
        wrong = bool(failed or failing or work.broken)
        if plain and not wrong:
            (place.results / GLANCE).write_text(_glance(place, asks, store, work.sources))
    return 1 if wrong else 0


def _asks(asked: Request, names: Sequence[str] | None, options: Options) -> str:
    """What a report is asked for, and what would make it: device, engine, Python."""
    blas.load()  # before anything imports MLX
    from seqlab.machine import device as devices

    device, engine = devices.current(options.device), choose(options.engine).identity
    return repr((asked, names, device, engine, sys.version))


def _glance(place: Place, asks: str, store: Store, sources: str) -> str:
    """A hash of all that decides whether anything is due, or looks different: no page is read for it."""
    known = (asks, store.state(), attachments.state(place.results), sources)
    return sha256(repr(known).encode()).hexdigest()


def _as_it_was(place: Place, glance: str) -> bool:
    """Whether the last report went well and would come out the same; then its paths are printed."""
    kept, finished = place.results / GLANCE, _finished(place)
    if not kept.is_file() or kept.read_text() != glance or not all(path.is_file() for path in finished):
        return False
    _say_unchanged(finished)
    return True


def _finished(place: Place) -> list[Path]:
    return [place.results / "report.html", place.results / "report.pdf"]


def _say_unchanged(finished: Sequence[Path]) -> None:
    print("Nothing is due and nothing changed; the report is up to date.")
    for path in finished:
        print(path)


def fix_rules(work: Work, store: Store) -> None:
    """Keep every rule with today's date, unless it is kept already: before it is run or judged by."""
    for plan in work.plans:
        fix_rules_of(plan.experiment, store)


def measure(place: Place, work: Work, store: Store, options: Options) -> int:
    """Run every due trial and store it; returns how many failed. A new device is calibrated before."""
    if not any(plan.due for plan in work.plans):
        return 0
    from seqlab.calibration.record import Machine
    from seqlab.running.calibrate import ensure
    from seqlab.running.worker import memory_limit
    from seqlab.store.provenance import gather

    found = ensure(Machine.here(*work.device))
    settings, name, loaded = found.settings, work.device[1], blas.load()
    # Set here as in the worker, so that what is recorded is what the library really took.
    threads = blas.threads() if settings.blas_threads is None else blas.set_threads(settings.blas_threads)
    limit = int(options.memory_gib * 2**30) if options.memory_gib else memory_limit()
    return execute(
        work.plans,
        store,
        device=work.device,
        memory_limit=limit,
        settings=settings,
        checkpoints=place.results / "checkpoints",
        jobs=options.jobs or (min(blas.cores(), MOST_JOBS) if work.device[0] == "cpu" else 1),
        provenance=lambda: gather(
            place.root,
            device=name,
            blas=loaded.name,
            threads=threads,
            calibration=found.words(),
            cache_bytes=settings.cache_bytes,
        ),
    )


def evidence_runs(work: Work, store: Store) -> dict[str, list[int]]:
    """For each page, the numbers of the runs that count."""
    _, device, mlx = work.device
    return {
        plan.experiment.name: runs_that_count(
            plan.planned,
            store.records(plan.experiment.name),
            fingerprint=plan.fingerprint,
            device=device,
            mlx=mlx,
        )
        for plan in work.plans
    }


def analyse(
    work: Work, evidence: Mapping[str, list[int]], store: Store, *, asked: Request
) -> "list[PageFindings]":
    """Judge every claim of every page; keep what changed as history, if a whole budget was asked for."""
    from seqlab.analysis.findings import analyse_pages

    found = analyse_pages([(plan.experiment, plan.planned) for plan in work.plans], evidence, store)
    whole = not asked.changes and asked.seed is None
    for page in found:
        for verdict in page.verdicts if whole else ():
            store.add_verdict(verdict, budget=asked.budget)
    return found


def attach(place: Place, found: "Sequence[PageFindings]", store: Store) -> None:
    """Write the pages' attachments into the results folder, where the report links to them."""
    from seqlab.document.artifacts import contents

    try:
        attachments.keep(place.results, contents(found, store))
    except OSError as error:
        raise StoreError(
            f"cannot write attachments into {place.results}: {error.strerror}. Make room or make it "
            "writable, then give the same command again; every result is safe."
        ) from error


def render(
    place: Place,
    work: Work,
    evidence: Mapping[str, list[int]],
    store: Store,
    *,
    asked: Request,
    engine: str,
) -> None:
    """Judge, draw, weave and render, unless the report on disk already says all this; print its paths."""
    chosen = choose(engine)
    folder = place.results / "report"
    finished = _finished(place)
    inputs, stamp = _inputs(work, evidence, store, asked, chosen.identity), folder / "inputs.sha256"
    pages = [plan.experiment.name for plan in work.plans]

    def made_of() -> str:  # with the attachments: another command may have written them anew
        return inputs + attachments.state(place.results, pages)

    if stamp.is_file() and stamp.read_text() == made_of() and all(path.is_file() for path in finished):
        _say_unchanged(finished)
    else:
        try:
            stamp.unlink(missing_ok=True)
            _compose(place, work, evidence, store, asked, engine_note=chosen.note)
            rendered = chosen.render(folder)
            for made, final in zip((rendered.html, rendered.pdf), finished, strict=True):
                if made is not None:
                    aside = final.with_name(f".{final.name}.part")
                    shutil.copyfile(made, aside)
                    aside.replace(final)
            stamp.write_text(made_of())
        except OSError as error:
            raise RenderError(
                f"cannot write the report into {place.results}: {error}. Make room or make it writable, then "
                "give the same command again; every result is safe."
            ) from error
        for path in finished:
            print(path)


def _compose(
    place: Place,
    work: Work,
    evidence: Mapping[str, list[int]],
    store: Store,
    asked: Request,
    *,
    engine_note: str,
) -> None:
    from seqlab.document.compose import compose  # the desk: pandas, seaborn

    found = analyse(work, evidence, store, asked=asked)
    attach(place, found, store)
    compose(
        found,
        ledger=work.ledger,
        broken=work.broken,
        store=store,
        budget=asked.budget,
        options=asked.options(),
        device=work.device[1],
        engine_note=engine_note,
        words=place.words,
        folder=place.results / "report",
    )


def _inputs(work: Work, evidence: Mapping[str, list[int]], store: Store, asked: Request, engine: str) -> str:
    """A hash of all that the report is made from: trials, runs, rules, pages, words, code, engine."""
    trials_asked = [trial for plan in work.plans for trial in plan.planned]
    parts = (trials_asked, evidence, store.state(), dict(work.broken), work.device, asked.options(), engine)
    return sha256(f"{parts!r} {work.sources}".encode()).hexdigest()


def _sources(place: Place) -> str:
    """A hash of the pages, the words and our own code, as they are on disk now."""
    digest = sha256()
    for folder in (place.root / "experiments", place.words, PACKAGE):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in (".pyc", ".npz", ".xz") and "_output" not in path.parts:
                digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def _print_due(work: Work) -> int:
    """Say which trials are due and why; run none."""
    total = 0
    for plan in work.plans:
        total += len(plan.due)
        print(f"{plan.experiment.name}: {len(plan.due)} of {len(plan.planned)} trials are due")
        for due_one in plan.due:
            print(f"  {due_one.trial.label()}: {due_one.reason}")
    for name, reason in work.broken.items():
        print(f"{name}: cannot be used: {reason}")
    print(f"{total} trials are due." if total else "Nothing is due.")
    return 0


def _failures(store: Store, numbers: Sequence[int]) -> bool:
    chosen = json.dumps(list(numbers))
    found = store.rows(
        "SELECT count(*) FROM run WHERE status != 'ok' AND id IN (SELECT value FROM json_each(?))", (chosen,)
    )
    return bool(found[0][0])


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Hold the results folder: two commands at once would disturb each other's timings."""
    with ExitStack() as held:
        try:
            place.results.mkdir(parents=True, exist_ok=True)
            lock = held.enter_context((place.results / ".lock").open("w"))
        except OSError as error:
            raise StoreError(
                f"cannot write to the results folder {place.results}: {error.strerror}. "
                "Make it writable, or choose another with --results."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another seqlab is at work on {place.results}. Wait for it to end, "
                "or choose another folder with --results."
            ) from None
        yield
