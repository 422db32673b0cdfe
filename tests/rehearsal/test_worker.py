"""Does a worker treat a GPU as one: late errors, memory that its size does not show, a new start?"""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqlab.notebook.experiment import Trial
from seqlab.running.child import HINTS, _status_of
from seqlab.running.worker import Outcome, Worker
from tests.rehearsal import rehearsed

PAGE = '''
"""A page whose trials go wrong as on a GPU."""

import os, time

import mlx.core as mx

from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.metrics import Measurement

MEMORY = "[METAL] Command buffer execution failed: Insufficient Memory (00000008:kIOGPUCommandBuffer)"
late = mx.synchronize


def fail():
    mx.synchronize = late
    raise RuntimeError(MEMORY)


def run(trial):
    yield Measurement("parameters", os.getpid())
    match trial["mode"]:
        case "late":
            mx.synchronize = fail
        case "hoard":
            mx.get_active_memory = lambda: 1 << 45
            time.sleep(60)
        case "refused":
            mx.linalg.qr(mx.eye(2))


experiment = Experiment(
    chapter=1, run=run, budgets=(Budget("full", grid(mode=("good", "late", "hoard", "refused"), seeds=1)),)
)
'''


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "experiments"
    folder.mkdir()
    file = folder / "page.py"
    file.write_text(textwrap.dedent(PAGE))
    return file


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setenv("PYTHONPATH", rehearsed()["PYTHONPATH"])
    with Worker(device="gpu", memory_limit=64 << 30) as worker:
        yield worker


def run(worker: Worker, page: Path, mode: str) -> Outcome:
    outcome = list(worker.run(page, Trial("page", {"mode": mode}, 0, "full", {}, 60.0)))[-1]
    assert outcome is not None
    return outcome


def process(outcome: Outcome) -> float:
    return outcome.measurements[0].value


def test_an_error_that_comes_late_is_the_trials_own_and_the_next_has_a_new_process(
    worker: Worker, page: Path
) -> None:
    first = run(worker, page, "good")
    assert first.status == "ok"
    late = run(worker, page, "late")
    assert late.status == "out of memory"
    assert "Insufficient Memory" in late.error
    assert process(late) == process(first)
    after = run(worker, page, "good")
    assert after.status == "ok"
    assert process(after) != process(first)


def test_memory_that_only_mlx_knows_of_counts(worker: Worker, page: Path) -> None:
    outcome = run(worker, page, "hoard")
    assert outcome.status == "out of memory"
    assert "64.0 GiB" in outcome.error


def test_what_metal_refuses_fails_the_trial_and_says_where_mlx_says_so(worker: Worker, page: Path) -> None:
    outcome = run(worker, page, "refused")
    assert outcome.status == "failed"
    assert "mlx/linalg.cpp" in outcome.error


@pytest.mark.parametrize(
    ("text", "status", "hint"),
    [
        ("Impacting Interactivity (0000000e:kIOGPU…)", "failed", HINTS["impacting interactivity"]),
        ("Caused GPU Timeout Error (00000002:kIOGPU…)", "failed", HINTS["gpu timeout"]),
        ("[metal::malloc] Resource limit (499000) exceeded.", "failed", HINTS["resource limit"]),
        ("Insufficient Memory (00000008:kIOGPU…)", "out of memory", ""),
        ("on purpose", "failed", ""),
    ],
)
def test_metals_words_are_known(text: str, status: str, hint: str) -> None:
    assert _status_of(RuntimeError(text)) == (status, f"RuntimeError: {text} {hint}".rstrip())
