"""Who runs what, and when? Without Dask: a crew that answers as it is told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from seqlab.cluster.crew import Answer, Hand
from seqlab.cluster.dispatch import dispatch
from seqlab.cluster.words import Home, Job, Terms
from seqlab.errors import WorkerError
from seqlab.notebook.metrics import Measurement
from seqlab.running.worker import Outcome
from seqlab.store.database import Store
from tests.running.limited import DEVICE, compares, page, plan

GOOD = Home(Outcome("ok", 1.0, datetime.now(UTC), (Measurement("accuracy", 0.5, "test"),)))


@dataclass
class Pretended:
    """Workers by name and place, in rounds: each answers by `end`, or is lost where that gives None."""

    places: dict[str, str]
    end: Callable[[str, Job], Home | None] = lambda name, job: GOOD
    address: str = "nowhere"
    terms: Terms = field(default_factory=lambda: Terms(Path(), Path(), None, "1.0", {}))
    left_out: dict[str, str] = field(default_factory=dict)
    rounds: list[dict[str, Job]] = field(default_factory=list)
    running: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hands = {name: Hand(name, place) for name, place in self.places.items()}
        self.say = print

    def submit(self, hand: Hand, job: Job) -> None:
        assert hand.address not in self.running
        self.running[hand.address] = job

    def answers(self, _: float) -> Iterator[Answer]:
        now, self.running = self.running, {}
        self.rounds += [now] if now else []
        for name, job in now.items():
            hand, home = self.hands[name], self.end(name, job)
            if home is None:
                del self.hands[name]
            yield Answer(hand, home)

    def cancel(self) -> None:
        self.running.clear()

    def reasons(self) -> str:
        return ""

    def leave_out(self, name: str, why: str) -> None:
        self.left_out[name] = why
        del self.hands[name]


def run(root: Path, crew: Pretended, *plans: Any) -> tuple[int, list[tuple[str, str]]]:
    """How many trials failed, and every run's status and error."""
    with Store(root / "seqlab.db") as store:
        failed = dispatch(plans, store, crew, device=DEVICE)  # type: ignore[arg-type]
        return failed, store.rows("SELECT status, error FROM run")


def test_timed_trials_have_their_place_to_themselves_and_others_share_it(tmp_path: Path) -> None:
    crew = Pretended({"a": "one", "b": "one", "c": "two"})
    timed = plan(page("timed", compares("C38"), parallel_over=(), seeds=3))
    learns = plan(page("learns", compares("C38"), seeds=3))
    failed, runs = run(tmp_path, crew, timed, learns)
    assert (failed, len(runs)) == (0, 24)
    for now in crew.rounds:
        alone = [name for name, job in now.items() if job.trial.experiment == "timed"]
        assert not {"a", "b"} <= set(now) or not {"a", "b"} & set(alone)
    together = {name: job for now in crew.rounds for name, job in now.items() if {"a", "b"} <= set(now)}
    assert {job.at_once for job in together.values()} <= {1, 2}
    assert together["a"].at_once == 2
    done = [(job.trial, name) for now in crew.rounds for name, job in now.items()]
    timed_by = {(trial.seed, name) for trial, name in done if trial.experiment == "timed"}
    assert len(timed_by) == 3  # of one seed all by one worker, which times them side by side
    assert len({name for _, name in timed_by}) == 2


def test_the_trial_of_a_lost_worker_runs_elsewhere_and_no_other_is_lost(tmp_path: Path) -> None:
    lost: list[Job] = []

    def end(name: str, job: Job) -> Home | None:
        if name == "a" and len(lost) == 0:
            lost.append(job)
            return None
        return GOOD

    crew = Pretended({"a": "one", "b": "two"}, end)
    failed, runs = run(tmp_path, crew, plan(page("learns", compares("C38"))))
    assert (failed, len(runs)) == (0, 8)
    again = [job.trial for now in crew.rounds for job in now.values() if job.trial is lost[0].trial]
    assert len(again) == 2


def test_a_trial_that_takes_three_workers_with_it_is_a_failed_run(tmp_path: Path) -> None:
    first = plan(page("learns", compares("C38"))).planned[0]

    def end(_: str, job: Job) -> Home | None:
        return None if job.trial.label() == first.label() else GOOD

    crew = Pretended({name: name for name in "abcd"}, end)
    failed, runs = run(tmp_path, crew, plan(page("learns", compares("C38"))))
    assert (failed, len(runs)) == (1, 8)
    assert [error for status, error in runs if status == "failed"] == [
        "3 workers were lost or left out while they ran it."
    ]


def test_a_command_without_workers_gives_up_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQLAB_WAIT", "0.01")
    ended: list[str] = []

    def end(name: str, _: Job) -> Home | None:
        ended.append(name)
        return GOOD if len(ended) < 3 else None

    with pytest.raises(WorkerError, match="Finished trials are stored"):
        run(tmp_path, Pretended({"a": "one"}, end), plan(page("learns", compares("C38"))))
    with Store(tmp_path / "seqlab.db") as store:
        assert store.rows("SELECT count(*) FROM run") == [(2,)]
