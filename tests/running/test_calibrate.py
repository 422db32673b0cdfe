"""When is a device calibrated, what is said of it, and is it what the trials then get?"""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.__main__ import main
from seqlab.calibration.record import Calibration, Machine, Timing, read
from seqlab.machine import blas, device
from seqlab.running import calibrate
from tests.calibration.made import CALIBRATION
from tests.project import CALM, HERE, SEQLAB, make

SHOWS = CALM.replace(
    'yield Measurement("accuracy", 0.2',
    """from seqlab.machine import blas, device
    from seqlab.machine import kernels
    assert kernels.current() == device.settings().kernels
    yield Measurement("train_steps", device.settings().compile_after or 0)
    yield Measurement("tuning_trials", blas.threads())
    yield Measurement("accuracy", 0.2""",
)
Seqlab = Callable[..., int]


def machine() -> Machine:
    found = device.current("cpu")
    return Machine.here(found.kind, found.name, found.mlx)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that a calibration is asked for; the answer is a made one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SEQLAB_CALIBRATE")
    kinds: list[str] = []

    def measured(kind: str, seconds: float | None) -> Calibration:
        kinds.append(kind)
        settings = replace(CALIBRATION.settings, blas_threads=1)
        return replace(CALIBRATION, machine=machine(), settings=settings)

    monkeypatch.setattr(calibrate, "_measured", measured)
    return kinds


@pytest.fixture
def seqlab(tmp_path: Path) -> Seqlab:
    root = make(tmp_path / "project", calm=SHOWS)

    def run(command: str, *arguments: str) -> int:
        smoke = [] if command == "doctor" else ["--smoke", "--device", "cpu", *arguments]
        return main([command, *(smoke or arguments), "--root", str(root)])

    return run


def stored(tmp_path: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(tmp_path / "project" / "results" / "seqlab.db") as connection:
        return connection.execute(query).fetchall()


def test_once_before_the_first_trial_and_never_for_nothing(
    asked: list[str], seqlab: Seqlab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seqlab("report", "--dry-run") == 0
    assert not asked
    assert seqlab("report") == 0
    assert asked == ["cpu"]
    assert capsys.readouterr().err.count("Calibrating") == 1
    assert isinstance(read(machine()), Calibration)

    assert seqlab("report") == 0  # nothing is due
    assert seqlab("report", "--force") == 0
    assert asked == ["cpu"]
    assert "alibrat" not in capsys.readouterr().err

    values = dict(
        stored(tmp_path, "SELECT text, max(value) FROM measurement JOIN name ON id = metric GROUP BY metric")
    )
    assert values["train_steps"] == 900  # what the worker had set
    assert values["tuning_trials"] == blas.threads()
    about = [json.loads(str(text)) for (text,) in stored(tmp_path, "SELECT json FROM provenance")]
    for one in about:
        assert one["calibration"].startswith("measured 2026-01-02T03:04:05+00:00: BLAS threads 1")
        assert one["BLAS threads"] == blas.threads()
        assert one["buffer cache"] == 4 << 30


@pytest.mark.parametrize(("load", "times"), [(0.1, 2), (1.9, 1)])
def test_a_disturbed_calibration_is_measured_again_once_the_machine_is_idle(
    asked: list[str], seqlab: Seqlab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    load: float, times: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, load, 0.1))
    monkeypatch.setattr(blas, "cores", lambda: 2)
    replace(CALIBRATION, machine=machine(), others=0.6).save()
    assert seqlab("run", "calm") == 0
    assert asked == ["cpu"] * (times - 1)
    assert ("disturbed" in capsys.readouterr().err) == (times == 2)
    assert seqlab("run", "calm", "--force") == 0  # an undisturbed one is kept
    assert asked == ["cpu"] * (times - 1)


def test_no_op_reads_no_calibration(
    asked: list[str], seqlab: Seqlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seqlab("report") == 0
    monkeypatch.setattr(calibrate, "ensure", lambda machine: pytest.fail("nothing is due"))
    assert seqlab("report") == 0
    assert seqlab("report", "--no-run") == 0


def test_the_environment_can_ask_for_the_defaults(
    asked: list[str], seqlab: Seqlab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQLAB_CALIBRATE", "0")
    monkeypatch.setenv("MLX_ENABLE_TF32", "0")
    assert seqlab("report") == 0
    assert not asked
    [(text,)] = stored(tmp_path, "SELECT json FROM provenance")
    about = json.loads(str(text))
    assert about["calibration"].startswith("defaults (SEQLAB_CALIBRATE=0): ")
    assert about["TF32"] == "0"


def test_an_unreadable_calibration_is_measured_again_with_a_line(
    asked: list[str], seqlab: Seqlab, capsys: pytest.CaptureFixture[str]
) -> None:
    file = machine().file
    file.parent.mkdir(parents=True)
    file.write_text("not a calibration")
    assert seqlab("run", "calm") == 0
    assert asked == ["cpu"]
    assert capsys.readouterr().err.count(f"calibration unreadable, {file}: ") == 1
    assert isinstance(read(machine()), Calibration)


def test_a_calibration_that_fails_or_cannot_be_kept_stops_nothing(
    asked: list[str], seqlab: Seqlab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert seqlab("run", "calm") == 0
    assert "cannot be kept" in capsys.readouterr().err

    def fails(kind: str, seconds: float | None) -> Calibration:
        raise TimeoutError("on purpose")

    monkeypatch.setattr(calibrate, "_measured", fails)
    assert seqlab("run", "calm", "--force") == 0
    assert "failed, so the defaults are used (TimeoutError: on purpose)" in capsys.readouterr().err
    told = [str(text) for (text,) in stored(tmp_path, "SELECT json FROM provenance")]
    assert sum("defaults (calibration failed: TimeoutError: on purpose)" in text for text in told) == 1


def test_doctor_shows_the_settings_and_measures_them_again(
    asked: list[str], seqlab: Seqlab, capsys: pytest.CaptureFixture[str]
) -> None:
    seqlab("doctor")
    shown = capsys.readouterr().out
    assert "defaults (not calibrated yet): " in shown
    assert "Calibrated in" not in shown
    for times in (1, 2):
        seqlab("doctor", "--calibrate")
        assert len(asked) == times
    shown = capsys.readouterr().out
    assert "measured 2026-01-02T03:04:05+00:00: BLAS threads 1" in shown
    assert "matrix products 200 GFLOP/s in float32, memory 30 GB/s" in shown
    assert "19 ms to 21 ms" in shown
    seqlab("doctor")
    assert "Calibrated in 10 s" in capsys.readouterr().out


def test_doctor_says_where_a_slower_value_was_kept_for_the_noise(
    asked: list[str], seqlab: Seqlab, capsys: pytest.CaptureFixture[str]
) -> None:
    slow, fast, near = (
        Timing("BLAS threads", str(threads), seconds, seconds, seconds, chosen)
        for threads, seconds, chosen in ((4, 0.677, True), (2, 0.058, False), (1, 0.67, False))
    )
    replace(CALIBRATION, machine=machine(), timings=(slow, fast, *CALIBRATION.timings)).save()
    seqlab("doctor")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[-3:] for row in rows if row[:3] == ["BLAS", "threads", "4"]] == [["kept:", "too", "noisy"]]
    assert [row[-1] for row in rows if row[:1] == ["split"]] == ["ms", "chosen"]
    replace(CALIBRATION, machine=machine(), timings=(slow, near)).save()  # faster, but not by five percent
    seqlab("doctor")
    assert "too noisy" not in capsys.readouterr().out


def test_doctor_reports_mlx_that_cannot_be_loaded(
    asked: list[str], seqlab: Seqlab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(kind: str | None = None) -> device.Device:
        raise ImportError("libmlx.so: cannot open shared object file")

    monkeypatch.setattr(device, "current", broken)
    assert seqlab("doctor") == 1
    assert "PROBLEM: libmlx.so" in capsys.readouterr().out


def test_an_interrupt_while_calibrating_leaves_nothing_behind(tmp_path: Path) -> None:
    make(tmp_path / "project", calm=CALM)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    own = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(temporary), "SEQLAB_CALIBRATE": "1"}
    process = subprocess.Popen(
        [*SEQLAB, "run", "calm", "--smoke", "--root", str(tmp_path / "project")],
        cwd=HERE, env=os.environ | own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    said = process.stderr.read(len("Calibrating"))
    time.sleep(1.0)  # into the work
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    _, rest = process.communicate(timeout=60)  # returns once every process that holds its pipes is gone
    assert process.returncode == 130
    assert said == "Calibrating"
    assert "Traceback" not in rest
    assert not list(temporary.iterdir())
    assert not list((tmp_path / "cache").rglob("calibration*"))
