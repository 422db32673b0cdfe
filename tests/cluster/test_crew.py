"""Do answers come home together, and is a worker given up only when the scheduler says that it is gone?"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from seqlab.cluster.crew import Crew, Hand
from seqlab.cluster.words import Home
from seqlab.running.worker import Outcome

HOME = Home(Outcome("ok", 1.0, datetime.now(UTC), ()))


@dataclass
class Scheduler:
    """What it says of its workers, and of which keys it still has the data."""

    workers: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    asked: list[list[str]] = field(default_factory=list)

    async def identity(self, n_workers: int) -> dict[str, Any]:
        assert n_workers == -1
        return {"workers": self.workers}

    async def gather(self, keys: list[str]) -> dict[str, Any]:
        self.asked.append(keys)
        if gone := self.lost & set(keys):
            return {"status": "error", "keys": list(gone)}
        return {"status": "OK", "data": dict.fromkeys(keys, HOME)}


@dataclass
class Client:
    """A client of it, with Dask's own notion of who is there, which names no workers."""

    scheduler: Scheduler
    status: str = "running"

    def sync(self, ask: Callable[..., Any], callback_timeout: float | None = None, **named: Any) -> Any:
        return asyncio.run(ask(**named))

    def scheduler_info(self, n_workers: int = 5) -> dict[str, Any]:
        return {"workers": {}}


@dataclass
class Future:
    """A task that ended."""

    key: str
    status: str = "finished"

    def release(self) -> None:
        """Dask may forget it."""

    def cancel(self) -> None:
        """It is not wanted any more."""


def crew(scheduler: Scheduler, jobs: int) -> tuple[Crew, list[Future]]:
    """One with a job for each of so many workers, all of which have ended."""
    made = Crew(Client(scheduler), "nowhere", say=lambda _: None)  # type: ignore[arg-type]
    futures = [Future(f"key-{number}") for number in range(jobs)]
    for number, future in enumerate(futures):
        address = f"worker-{number}"
        scheduler.workers[address] = {"name": address, "resources": {"device": 1}}
        made.hands[address], made._names[address] = Hand(address, address), address
        made._asked[future.key] = address, future, True  # type: ignore[assignment]
        made._ended.put(future)  # type: ignore[arg-type]
    return made, futures


def test_what_has_ended_comes_home_in_one_round_trip() -> None:
    scheduler = Scheduler()
    made, futures = crew(scheduler, 100)
    answers = list(made.answers(0.1))
    assert [answer.home for answer in answers] == [HOME] * 100
    assert scheduler.asked == [[future.key for future in futures]]
    assert len(made.hands) == 100  # whatever the client itself thinks of who is there


def test_an_answer_that_was_lost_on_its_way_costs_its_trial_alone(monkeypatch: Any) -> None:
    monkeypatch.setattr("seqlab.cluster.crew._failure", lambda _: None)
    scheduler = Scheduler(lost={"key-1"})
    made, _ = crew(scheduler, 3)
    assert [answer.home for answer in made.answers(0.1)] == [HOME, None, HOME]
    assert len(scheduler.asked) == 2


def test_a_worker_that_is_gone_loses_its_job() -> None:
    scheduler = Scheduler()
    made, _ = crew(scheduler, 2)
    del scheduler.workers["worker-1"]
    assert {answer.hand.address: answer.home for answer in made.answers(0.1)} == {
        "worker-0": HOME, "worker-1": None,
    }  # fmt: skip
    assert list(made.hands) == ["worker-0"]
