"""A calibration is stored completely, found by what it applies to, and validated when read."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.calibration import record
from seqlab.calibration.record import Machine, in_use, read
from seqlab.machine.settings import defaults
from tests.calibration.made import CALIBRATION, MACHINE


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SEQLAB_CALIBRATE")
    return tmp_path


def test_it_is_read_as_it_was_saved(cache: Path) -> None:
    assert read(MACHINE) == "not calibrated yet"
    CALIBRATION.save()
    assert read(MACHINE) == CALIBRATION
    assert [path for path in cache.rglob("*") if path.is_file()] == [MACHINE.file]  # nothing half-written


def test_each_machine_has_its_own() -> None:
    CALIBRATION.save()
    for other in (
        replace(MACHINE, device="cpu (another)"),
        replace(MACHINE, mlx="9.9"),
        replace(MACHINE, blas="reference"),
        replace(MACHINE, cores=64),
        replace(MACHINE, threads=1),
        replace(MACHINE, tf32="0"),
    ):
        assert read(other) == "not calibrated yet"
    other.file.write_text(CALIBRATION.text())  # copied from another machine
    assert "calibration of another machine" in str(read(other))


def test_another_version_is_calibrated_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    CALIBRATION.save()
    before = CALIBRATION.text()
    monkeypatch.setattr(record, "VERSION", record.VERSION + 1)
    assert read(MACHINE) == "not calibrated yet"
    MACHINE.file.write_text(before)
    assert "expected version" in str(read(MACHINE))


def test_the_precision_of_a_gpu_is_part_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, alike in (("gpu", False), ("cpu", True)):
        monkeypatch.delenv("MLX_ENABLE_TF32", raising=False)
        before = Machine.here(kind, "one", "0.0")
        monkeypatch.setenv("MLX_ENABLE_TF32", "0")
        assert (Machine.here(kind, "one", "0.0").file == before.file) is alike


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:100],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"version": ', '"version": 9'),
        lambda text: text.replace('"version"', '"schema"'),
        lambda text: text.replace('"split": 4', '"split": 99'),
        lambda text: text.replace('"compile_after": 900', '"compile_after": "soon"'),
        lambda text: text.replace('"seconds"', '"minutes"'),
        lambda text: json.dumps({**json.loads(text), "more": 1}),
        lambda text: text.replace('"chosen": true', '"chosen": "yes"'),
        lambda text: text.replace('"value": "8"', '"value": 8'),
        lambda text: text.replace('"split": 4', '"split": 4.5'),
        lambda text: text.replace('"blas_threads": 2', '"blas_threads": true'),
        *(
            lambda text, name=name, value=value: json.dumps({**json.loads(text), name: value})
            for name in ("flops_per_second", "seconds", "others", "date", "timings", "machine", "settings")
            for value in (None, ["fast"], float("inf"), 10**400)
        ),
        lambda text: text.replace(',\n   "rope": "native"', ""),  # written before this setting existed
    ],
)
def test_an_unreadable_file_is_reported_and_not_used(change: Callable[[str], str]) -> None:
    CALIBRATION.save()
    MACHINE.file.write_text(change(CALIBRATION.text()))
    message = read(MACHINE)
    assert isinstance(message, str)
    assert message.startswith("calibration unreadable")
    assert "\n" not in message
    assert in_use(MACHINE).settings == defaults("cpu")
    assert "unreadable" in in_use(MACHINE).summary()


def test_a_run_gets_the_measured_settings_unless_calibration_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_use(MACHINE).summary().startswith("defaults (not calibrated yet): BLAS threads as found")
    CALIBRATION.save()
    found = in_use(MACHINE)
    assert (found.settings, found.calibration) == (CALIBRATION.settings, CALIBRATION)
    assert found.summary() == (
        "measured 2026-01-02T03:04:05+00:00: BLAS threads 2, buffer cache 4,096 MiB, compile from 900 steps "
        "(recurrences never), "
        "split 4, chunk 2, tanh native, exp native, rope native"
    )
    monkeypatch.setenv("SEQLAB_CALIBRATE", "0")
    assert in_use(MACHINE).summary().startswith("defaults (SEQLAB_CALIBRATE=0): ")
    assert in_use(MACHINE).settings == defaults("cpu")


def test_a_busy_machine_is_reported() -> None:
    assert CALIBRATION.busy == ""
    replace(CALIBRATION, others=0.7).save()
    message = "measured 2026-01-02T03:04:05+00:00, other processes used 70% of the processors meanwhile: BLAS"
    assert in_use(MACHINE).summary().startswith(message)
