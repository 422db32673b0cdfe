"""Which workers of the cluster take part, and what have they answered?

Dask knows who is there: workers join, are retired and are killed at any time, and one that is not heard of is
given up after Dask's `worker-ttl` (5 minutes). Here each newcomer is asked whether it fits. Those that do not
are named and left out.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from seqlab.cluster import task
from seqlab.cluster.joined import dask_version
from seqlab.cluster.words import DEVICE, Home, Job, Met, Terms
from seqlab.errors import UsageError, WorkerError, described

if TYPE_CHECKING:
    from distributed import Client, Future

LOOK_SECONDS = 1.0  # between two looks at who is there
FETCH_SECONDS = 60.0  # for an answer, or all that are ready, to come home
SAY_SECONDS = 5.0  # of waiting, before a line says so
WAIT_SECONDS = 600.0  # for a first worker, or another one; SEQLAB_WAIT changes it


def wait_seconds() -> float:
    """How long a command waits while no worker takes part."""
    given = os.environ.get("SEQLAB_WAIT", str(WAIT_SECONDS))
    try:
        return float(given)
    except ValueError:
        raise UsageError(f"SEQLAB_WAIT must be a number of seconds, found {given!r}.") from None


@dataclass(frozen=True)
class Hand:
    """A worker that takes part. Those of one place share a device or the same cores."""

    address: str
    place: str


@dataclass(frozen=True)
class Answer:
    """What became of a job: what came home, or nothing where the worker is lost or left out."""

    hand: Hand
    home: Home | None


@dataclass
class Crew:
    """The workers of a cluster. `address` is as the user wrote it, `ask` what they run."""

    client: "Client"
    address: str
    ask: Callable[[Any], Any] = task.ask
    say: Callable[[str], None] = field(default=lambda text: print(f"seqlab: {text}", file=sys.stderr))
    terms: Terms | None = None
    hands: dict[str, Hand] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)  # why, by address
    _met: dict[str, Met] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)  # of all that are there
    _asked: dict[object, tuple[str, "Future[Any]", bool]] = field(default_factory=dict)  # by key; if a job
    _ended: SimpleQueue["Future[Any]"] = field(default_factory=SimpleQueue)
    _looked: float = -LOOK_SECONDS

    def device(self, own: tuple[str, str, str] | None) -> tuple[str, str, str]:
        """The device that most workers have, or `own` where one has it: kind, name, MLX version."""
        found = Counter(self._met[address].device for address in self.hands)
        return own if own and own in found else max(found, key=lambda device: (found[device], device))

    def engage(self, terms: Terms) -> None:
        """Ask every worker, and whoever joins from now on, whether it fits; wait for those that are here.

        Raises `UsageError` where none comes in time, or none of them fits.
        """
        self.terms, waiting = terms, Waiting(self)
        for known in (self.hands, self.left_out, self._met, self._names):
            known.clear()
        self._looked = -LOOK_SECONDS
        while not self.hands or self._meeting():
            list(self.answers(LOOK_SECONDS / 5))
            if self.hands and waiting.seconds() > SAY_SECONDS:
                break  # the others are slow, or busy with another command's trials: they join later
            if not self.hands and not self._meeting():
                if self.left_out:
                    raise UsageError(f"no worker of {self.address} can take part. {self.reasons()}")
                if waiting.ends():
                    raise UsageError(
                        f"no worker joined {self.address} within {wait_seconds():g} s. Start some "
                        "(docs/cluster.md), then run the same command again."
                    )

    def reasons(self) -> str:
        """Why workers were left out, each reason once."""
        counted = Counter(self.left_out.values())
        return " ".join(f"{number} of {len(self.left_out)}: {why}" for why, number in counted.items())

    def submit(self, hand: Hand, job: Job) -> None:
        """Have the worker run a trial; the answer comes among `answers`."""
        self._submit(hand.address, job)

    def answers(self, seconds: float) -> Iterator[Answer]:
        """The jobs that ended or were lost, once there are some, but after so many seconds at the latest."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            yield from self._look()
        futures = []
        try:
            futures.append(self._ended.get(timeout=seconds))
            while True:
                futures.append(self._ended.get_nowait())
        except Empty:
            pass
        homes = self._gathered(futures)
        for future in futures:
            yield from self._take(future, homes.get(future.key))

    def cancel(self) -> None:
        """End all that runs; nothing comes home any more."""
        futures = [future for _, future, _ in self._asked.values()]
        self._asked.clear()
        if futures and self.client.status == "running":
            self.client.cancel(futures, force=True)

    def leave_out(self, address: str, why: str) -> None:
        """Give this worker nothing more."""
        self.hands.pop(address, None)
        self.left_out[address] = why
        self.say(f"Worker {self._names.get(address, address)} is left out: {why}")

    def _meeting(self) -> bool:
        """Whether a worker has not yet said whether it fits."""
        return any(not is_job for _, _, is_job in self._asked.values())

    def _submit(self, address: str, question: Terms | Job) -> None:
        future = self.client.submit(
            self.ask, question, key=f"seqlab-{uuid4().hex}", pure=False, retries=0,
            workers=[address], allow_other_workers=False, resources={DEVICE: 1},
        )  # fmt: skip
        self._asked[future.key] = address, future, isinstance(question, Job)
        future.add_done_callback(self._ended.put)

    def _gathered(self, futures: "Sequence[Future[Any]]") -> dict[object, Met | Home]:
        """The answers of those that ended well, by key, in one round trip; not of workers that went."""
        wanted = [future.key for future in futures if future.status == "finished"]
        try:
            while wanted:
                # Not `client.gather`, which waits for an answer that was lost to be computed anew.
                found: Any = self.client.sync(
                    self._scheduler.gather, keys=wanted, callback_timeout=FETCH_SECONDS
                )
                if found["status"] == "OK":
                    return dict(found["data"])
                wanted = [key for key in wanted if key not in found["keys"]]
        except Exception as error:  # noqa: BLE001 - whatever one of them holds: the others come home
            if len(wanted) > 1:
                apart = [self._gathered([future]) for future in futures]
                return {key: home for one in apart for key, home in one.items()}
            if not isinstance(error, OSError):  # that is a connection
                return {wanted[0]: Home(refusal=described(error))}
        return {}

    def _take(self, future: "Future[Any]", home: Met | Home | None) -> Iterator[Answer]:
        """What ended: a worker has said whether it fits, or a job has. `home` is its answer, if any."""
        if future.key not in self._asked:  # given up before
            return
        address, _, is_job = self._asked.pop(future.key)
        found, hand = home or _failure(future), self.hands.get(address)
        future.release()
        if found and found.refusal:
            self.leave_out(address, found.refusal)
        elif isinstance(found, Met):
            self._met[address] = found
            self.hands[address] = Hand(address, found.place)
        if is_job and hand:
            yield Answer(hand, found if isinstance(found, Home) and not found.refusal else None)

    def _look(self) -> Iterator[Answer]:
        """Ask those that joined; the jobs of those that are gone."""
        there = self._there()
        for address in [address for address in self._names if address not in there]:
            yield from self._lose(address)
        new = [address for address in there if address not in self._names]
        if not new:
            return
        versions: Any = self.client.get_versions()
        ours = dask_version(versions["client"])
        for address in new:
            self._names[address] = str(there[address].get("name") or address)
            theirs = dask_version(versions["workers"].get(address))
            if DEVICE not in there[address].get("resources", {}):
                why = f"it has no resource `{DEVICE}`; start it with --resources {DEVICE}=1."
                self.leave_out(address, why)
            elif theirs != ours:
                self.leave_out(address, f"it has Dask {theirs}, this command {ours}; install the same.")
            elif self.terms:
                self._submit(address, self.terms)

    def _there(self) -> dict[str, dict[str, Any]]:
        """What the scheduler knows of its workers, by their addresses."""
        why: object = "the connection was closed"
        try:
            if self.client.status == "running":
                # Not `scheduler_info`: what it returns may be the client's own, which names no workers.
                found: Any = self.client.sync(self._scheduler.identity, n_workers=-1)
                return dict(found["workers"])
        except (OSError, KeyError) as error:
            why = error
        raise WorkerError(
            f"the scheduler at {self.address} is gone ({why}). Finished trials are stored; run the "
            "same command again to continue."
        )

    @property
    def _scheduler(self) -> Any:
        """What asks the scheduler, as `client.scheduler_info` says to do."""
        return self.client.scheduler

    def _lose(self, address: str) -> Iterator[Answer]:
        hand = self.hands.pop(address, None)
        for known in (self.left_out, self._met):
            known.pop(address, None)
        self.say(f"Worker {self._names.pop(address)} is gone.")
        for key in [key for key, (other, *_) in self._asked.items() if other == address]:
            _, future, is_job = self._asked.pop(key)
            future.cancel()
            if is_job and hand:
                yield Answer(hand, None)


def _failure(future: "Future[Any]") -> Home | None:
    """A job's error as a refusal; None where its worker is lost, and its answer with it."""
    from distributed.scheduler import KilledWorker

    error = future.exception() if future.status == "error" else None
    if error is None or isinstance(error, KilledWorker | CancelledError | OSError):
        return None
    return Home(refusal=str(error) if isinstance(error, WorkerError) else described(error))


class Waiting:
    """For a worker to take part: a line says so, and until when."""

    def __init__(self, crew: Crew) -> None:
        self._crew, self._began, self._said = crew, time.monotonic(), False

    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def ends(self) -> bool:
        """Whether it has been long enough."""
        if not self._said and self.seconds() > min(SAY_SECONDS, wait_seconds() / 2):
            self._said = True
            self._crew.say(f"Waiting for workers at {self._crew.address}, up to {wait_seconds():g} s ...")
        return self.seconds() > wait_seconds()
