"""Can a trial do its worst without harming the others?"""

import os
import textwrap
import time
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest

from seqlab.errors import WorkerError
from seqlab.notebook.artifacts import text_of
from seqlab.notebook.experiment import Trial
from seqlab.running.environment import PRECISE
from seqlab.running.worker import Outcome, Worker

PAGE = '''
"""A page whose trials misbehave on request."""

import gc, io, os, signal, time

from seqlab.machine import blas, device, kernels
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.figures import ImageGrid
from seqlab.machine.kernels import Kernels
from seqlab.notebook.metrics import Measurement
from seqlab.machine.settings import Settings


def run(trial):
    yield Measurement("loss", 1.0, "train", 1)
    match trial["mode"]:
        case "good":
            yield Measurement("loss", 0.5, "train", 2)
            yield Measurement("parameters", os.getpid())
        case "look":
            import mlx.core as mx

            assert device.settings().kernels == kernels.current()
            for value in (kernels.current().split, device.settings().compile_after or 0,
                          mx.set_cache_limit(0), blas.threads()):
                yield Measurement("parameters", value)
        case "precision":
            yield Measurement("parameters", float(os.environ.get("MLX_ENABLE_TF32", "-1")))
            yield Measurement("parameters", os.getpid())
        case "raise":
            raise ZeroDivisionError("on purpose")
        case "diverge":
            yield Measurement("loss", float("nan"), "train", 2)
        case "hang":
            time.sleep(60)
        case "system exit":
            raise SystemExit(0)
        case "exit":
            os._exit(7)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "memory":
            hoard = []
            while True:
                hoard.append(b"x" * (32 << 20))
                time.sleep(0.01)
        case "memory error":
            raise RuntimeError("[malloc] Unable to allocate 10 bytes.")
        case "leave":
            yield Measurement("parameters", 5.0)
            os._exit(0)
        case "settings":
            device.use("cpu", Settings(1, 77 << 20, compile_after=300, kernels=Kernels(split=3)))
            kernels.use(Kernels(split=2))
        case "shows":
            yield Artifact.text("first", "one\\n\\udc80 two")
            yield Measurement("loss", 0.5, "train", 2)
            yield Artifact.text("long", "x" * 1_000_000)
            os.kill(os.getpid(), signal.SIGKILL)
        case "shows twice":
            yield Artifact.text("first", "one")
            yield Artifact.text("first", "two")
        case "text for images":
            yield Artifact.text("drawn", "one")
        case "broken text":
            raise ValueError("no file \\udcff")
        case "mute error":
            raise type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})
        case "removes its spool":
            os.unlink(spool())
        case "writes into its spool":
            with open(spool(), "a") as lines:
                lines.write('["loss", 1.0, 3, "x"]\\n')
        case "half a step":
            yield Measurement("loss", 1.0, "train", 1.5)
        case "unknown metric":
            yield Measurement("lossy", 1.0)


def spool():
    """The open file that what this trial yields goes to."""
    files = (one for one in gc.get_objects() if isinstance(one, io.TextIOWrapper))
    return next(str(file.name) for file in files if str(file.name).endswith("yielded.jsonl"))


figures = (ImageGrid(artifact="drawn", caption="Images."),)
experiment = Experiment(run=run, budgets=(Budget("smoke", grid(mode="good")),), figures=figures)
'''


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "unruly.py"
    path.write_text(textwrap.dedent(PAGE).lstrip())
    return path


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(device="cpu", memory_limit=600 << 20) as made:
        yield made


def outcome(
    worker: Worker,
    page: Path,
    mode: str,
    *,
    timeout: float = 30.0,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    trial = Trial("unruly", {"mode": mode}, 0, "smoke", {}, timeout=timeout)
    [*_, last] = worker.run(page, trial, environment=environment)
    assert last is not None
    return last


def test_a_good_trial_gives_its_measurements_in_order(worker: Worker, page: Path) -> None:
    done = outcome(worker, page, "good")
    assert done.status == "ok"
    assert [(one.metric, one.step) for one in done.measurements] == [
        ("loss", 1),
        ("loss", 2),
        ("parameters", None),
    ]


def test_a_worker_between_trials_is_not_running(page: Path) -> None:
    """A loop over several workers would otherwise wait for a trial that has ended: not at all."""
    with Worker(device="cpu", memory_limit=1 << 40) as made:
        assert made.running is None
        steps = made.run(page, Trial("unruly", {"mode": "good"}, 0, "smoke", {}))
        assert next(steps) is None
        assert made.running is not None
        *_, last = steps
        assert last is not None
        assert made.running is None


def test_the_worker_is_kept_between_trials(worker: Worker, page: Path) -> None:
    first, second = outcome(worker, page, "good"), outcome(worker, page, "good")
    assert first.measurements[-1] == second.measurements[-1]


@pytest.mark.parametrize(
    ("mode", "status", "words"),
    [
        ("raise", "failed", "ZeroDivisionError: on purpose"),
        ("diverge", "diverged", "loss is nan at training step 2"),
        ("system exit", "failed", "SystemExit: 0"),
        ("exit", "failed", "exit status 7"),
        ("crash", "failed", "signal SIGSEGV"),
        ("memory", "out of memory", "limit of 0.6 GiB"),
        ("memory error", "out of memory", "Unable to allocate"),
        ("half a step", "failed", "yields a measurement of loss, of which step should be a whole number"),
        ("writes into its spool", "failed", "what it yielded is lost: yielded.jsonl yields a measurement"),
        ("mute error", "failed", "Mute: (its __str__ raises ZeroDivisionError)"),
        ("unknown metric", "failed", "Did you mean 'loss'"),
    ],
)
def test_a_bad_trial_gets_its_status_and_keeps_what_it_measured(
    worker: Worker, page: Path, mode: str, status: str, words: str
) -> None:
    done = outcome(worker, page, mode)
    assert done.status == status
    assert words in done.error
    assert [one.value for one in done.measurements] == [1.0]
    assert outcome(worker, page, "good").status == "ok"  # and the next one runs


def test_a_trial_that_removes_what_it_yielded_fails_alone(worker: Worker, page: Path) -> None:
    done = outcome(worker, page, "removes its spool")
    assert (done.status, done.measurements) == ("failed", ())
    assert "unruly.py: what it yielded is lost: FileNotFoundError" in done.error
    assert outcome(worker, page, "good").status == "ok"


def test_what_a_trial_set_is_put_back_for_the_next(worker: Worker, page: Path) -> None:
    before = outcome(worker, page, "look")
    assert outcome(worker, page, "settings").status == "ok"
    after = outcome(worker, page, "look")
    assert (after.status, after.measurements) == ("ok", before.measurements)


def test_a_precise_trial_has_a_process_without_tf32_and_others_have_not(page: Path) -> None:
    with Worker(device="cpu", memory_limit=1 << 40) as made:
        found = [
            [one.value for one in outcome(made, page, "precision", environment=given).measurements[1:]]
            for given in (PRECISE, PRECISE, {})
        ]
    (first, own), (second, same), (third, other) = found
    assert (first, second) == (0.0, 0.0)
    assert third == float(os.environ.get("MLX_ENABLE_TF32", "-1"))
    assert own == same != other


def test_a_trial_that_exits_with_status_0_is_a_failure_and_keeps_what_it_measured(
    worker: Worker, page: Path
) -> None:
    done = outcome(worker, page, "leave")
    assert (done.status, done.error) == ("failed", "the trial ended its own process (exit status 0).")
    assert [one.value for one in done.measurements] == [1.0, 5.0]
    assert outcome(worker, page, "good").status == "ok"


def test_a_killed_trial_keeps_the_artifacts_that_it_had_yielded(worker: Worker, page: Path) -> None:
    done = outcome(worker, page, "shows")
    assert done.status == "out of memory"  # as far as anyone can tell
    assert [text_of(one) for one in done.artifacts] == ["one\n\\udc80 two", "x" * 1_000_000]
    assert [one.value for one in done.measurements] == [1.0, 0.5]
    assert outcome(worker, page, "good").artifacts == ()


def test_a_name_taken_twice_fails_the_trial_and_keeps_the_first(worker: Worker, page: Path) -> None:
    done = outcome(worker, page, "shows twice")
    assert (done.status, "two artifacts called 'first'" in done.error) == ("failed", True)
    assert [text_of(one) for one in done.artifacts] == ["one"]


def test_an_artifact_that_its_figure_cannot_show_fails_the_trial_not_the_report(
    worker: Worker, page: Path
) -> None:
    done = outcome(worker, page, "text for images")
    assert (done.status, "'drawn' holds no images" in done.error) == ("failed", True)


def test_an_error_with_lone_surrogates_can_be_stored(worker: Worker, page: Path) -> None:
    done = outcome(worker, page, "broken text")
    assert "no file \\udcff" in done.error
    assert done.traceback.encode().decode() == done.traceback


def test_a_hanging_trial_times_out(worker: Worker, page: Path) -> None:
    done = outcome(worker, page, "hang", timeout=1.0)
    assert done.status == "timed out"
    assert "longer than its 1 s" in done.error
    assert len(done.measurements) == 1


def test_a_raising_trial_keeps_its_traceback(worker: Worker, page: Path) -> None:
    assert "ZeroDivisionError" in outcome(worker, page, "raise").traceback


def test_a_worker_that_died_between_two_trials_is_replaced(worker: Worker, page: Path) -> None:
    before = outcome(worker, page, "good")
    psutil.Process(int(before.measurements[-1].value)).kill()
    time.sleep(0.5)  # until its death is noticed
    after = outcome(worker, page, "good")
    assert after.status == "ok"
    assert after.measurements[-1] != before.measurements[-1]


def test_a_worker_that_cannot_start_is_one_clear_error(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.running.worker.start", _die)
    with (
        Worker(device="cpu", memory_limit=1 << 40) as broken,
        pytest.raises(WorkerError, match="cannot start"),
    ):
        outcome(broken, page, "good")


def test_too_many_open_files_are_one_clear_error(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise BrokenProcessPool from OSError(24, "Too many open files")

    monkeypatch.setattr("seqlab.running.worker.ProcessPool.schedule", refuses)
    with (
        Worker(device="cpu", memory_limit=1 << 40) as broken,
        pytest.raises(WorkerError, match=r"cannot start: .*Too many open files.*ulimit"),
    ):
        outcome(broken, page, "good")


def _die(*_: object) -> None:
    os._exit(3)
