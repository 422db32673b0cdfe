"""Run what is due, page by page, and store each run as soon as it ends."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqlab.claims import Claim
from seqlab.experiment import Experiment, Trial
from seqlab.running.plan import Due
from seqlab.settings import Settings
from seqlab.store.database import FixedRule, Run, Store


@dataclass(frozen=True)
class Plan:
    """One page's part of the work: every trial that was asked for, and those of them that are due."""

    experiment: Experiment
    page: Path
    fingerprint: str
    planned: tuple[Trial, ...]
    due: tuple[Due, ...]


def execute(
    plans: Sequence[Plan],
    store: Store,
    *,
    device: tuple[str, str, str],
    memory_limit: int,
    settings: Settings,
    checkpoints: Path,
    provenance: Callable[[], Mapping[str, Any]],
) -> int:
    """Run every due trial; returns how many failed. `device` is (kind, name, MLX version).

    The circumstances are taken once a page, since power and heat change within an hour. A trial that did
    not end keeps its trainings in a folder under `checkpoints`, until it ended or the code changed.
    """
    work = [(plan, due.trial) for plan in plans for due in plan.due]
    if not work:
        return 0
    # A command with nothing to run needs neither rich nor pebble, and answers sooner without.
    from seqlab.running.progress import display
    from seqlab.running.worker import Worker

    kind, name, mlx = device
    failed = 0
    known = _seconds_before(store, [plan.experiment.name for plan in plans])
    with (
        Worker(device=kind, memory_limit=memory_limit, settings=settings) as worker,
        display([trial for _, trial in work], known) as shown,
    ):
        last = ""
        for plan, trial in work:
            precise = plan.experiment.precise and kind == "gpu"
            if plan.experiment.name != last:
                circumstances, last = provenance(), plan.experiment.name
                circumstances = {**circumstances, "TF32": "0"} if precise else circumstances
                _discard_of_other_code(checkpoints / last, plan.fingerprint)
            shown.begin(trial)
            kept = checkpoints / last / plan.fingerprint / trial.key(device=name, mlx=mlx)[:16]
            running = worker.run(plan.page, trial, checkpoints=kept, code=plan.fingerprint, precise=precise)
            for outcome in running:
                if outcome is None:
                    shown.advance(trial, *worker.seen())
                    continue
                store.add(
                    Run(
                        trial=trial,
                        status=outcome.status,
                        seconds=outcome.seconds,
                        started=outcome.started,
                        device=name,
                        mlx=mlx,
                        fingerprint=plan.fingerprint,
                        provenance=circumstances,
                        measurements=outcome.measurements,
                        exhibits=outcome.exhibits,
                        error=outcome.error,
                        traceback=outcome.traceback,
                    )
                )
                if outcome.status in ("ok", "diverged"):
                    shutil.rmtree(kept, ignore_errors=True)
                failed += outcome.status != "ok"
                shown.end(trial, outcome.status, outcome.seconds, outcome.error)
    return failed


def fix_rules_of(experiment: Experiment, store: Store) -> None:
    """Keep each rule of the page with today's date, unless it is kept already."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for claim in experiment.claims:
        store.fix_rule(FixedRule(claim.id, experiment.name, claim.rule.digest(), _statement(claim), now))


def _discard_of_other_code(folder: Path, fingerprint: str) -> None:
    """Trainings that other code began must not go on; nor is anything else to lie there."""
    for other in folder.glob("*"):
        if other.name == fingerprint:
            continue
        if other.is_dir() and not other.is_symlink():
            shutil.rmtree(other, ignore_errors=True)  # what cannot be removed is not found either
        else:
            with suppress(OSError):
                other.unlink()


def _statement(claim: Claim) -> str:
    side = "above" if claim.rule.above is not None else "below"
    return (
        f"{claim.reads} [{type(claim.rule).__name__} of {claim.rule.metric}, {side} {claim.rule.threshold:g}]"
    )


def _seconds_before(store: Store, experiments: Sequence[str]) -> dict[str, float]:
    """Mean seconds of a good trial of each page, from earlier runs."""
    found = {}
    for name in experiments:
        spent = [record.seconds for record in store.records(name) if record.status == "ok"]
        if spent:
            found[name] = sum(spent) / len(spent)
    return found
