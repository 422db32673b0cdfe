"""A real calibration, in its own process and with very little time; nothing asserts what is fastest."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import mlx.core as mx
import pytest

from seqlab.calibration.record import Calibration, Machine, read
from seqlab.machine import blas, device
from seqlab.running.calibrate import measure


def measured(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Calibration:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    found = device.current("cpu")
    machine = Machine.here(found.kind, found.name, found.mlx)
    in_use = measure(machine, seconds=0.01)
    assert in_use.calibration is not None, in_use.origin
    assert read(machine) == in_use.calibration
    assert in_use.settings == in_use.calibration.settings
    return in_use.calibration


def test_every_setting_is_timed_and_one_value_of_each_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On a machine without a compiler, where compilation cannot pay off."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    monkeypatch.setenv("PATH", str(bin_folder))
    before = (device.settings(), blas.threads(), os.environ.get("TMPDIR"), mx.random.state[0].tolist())
    found = measured(tmp_path / "cache", monkeypatch)

    values = {one.setting: [other.value for other in found.timings if other.setting == one.setting]
             for one in found.timings}  # fmt: skip
    assert values["split"] == ["8", "4"]
    assert values["chunk"] == ["1", "0.5", "2"]
    assert values["tanh"] == ["rational", "native"]
    assert values["parallel step"] == values["recurrent step"] == ["plain", "compiled"]
    assert values["buffer cache"][:2] == ["1,024 MiB", "32 MiB"]
    for setting in values.keys() - {"first parallel step", "first recurrent step"}:
        assert sum(one.chosen for one in found.timings if one.setting == setting) == 1
    assert all(0 < one.low <= one.seconds <= one.high for one in found.timings)
    assert min(found.flops_per_second, found.bytes_per_second, found.seconds) > 0
    if sys.platform == "linux":
        assert found.settings.compile_after is found.settings.compile_unrolled_after is None
        assert found.settings.blas_threads == (found.machine.threads or None)

    said = capfd.readouterr().err
    assert said.startswith(f"Calibrating {found.machine.device}, once per device ... ")
    assert f"s: {found.settings.summary()}.\n" in said
    after = (device.settings(), blas.threads(), os.environ.get("TMPDIR"), mx.random.state[0].tolist())
    assert after == before  # nothing leaks into this process


@pytest.mark.slow  # the compiler takes seconds
@pytest.mark.skipif(shutil.which("g++") is None, reason="MLX compiles with g++")
def test_compilation_is_timed_cold_and_leaves_nothing_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    timings = {(one.setting, one.value): one.seconds for one in measured(tmp_path, monkeypatch).timings}
    for what in ("parallel", "recurrent"):
        assert timings[f"first {what} step", "compiled"] > 10 * timings[f"{what} step", "compiled"]
    assert not any(scratch.iterdir())
