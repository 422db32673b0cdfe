"""Devices, their settings and the errors about both."""

import subprocess
import sys
from collections.abc import Iterator

import mlx.core as mx
import pytest

from seqlab.__main__ import main
from seqlab.errors import UsageError
from seqlab.machine import blas, device, kernels
from seqlab.machine.kernels import Kernels
from seqlab.machine.settings import Settings, defaults


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    kept, threads, cache, kind = kernels.current(), blas.threads(), mx.set_cache_limit(0), mx.default_device()
    yield
    device.use("cpu")
    mx.set_default_device(kind)
    mx.set_cache_limit(cache)
    blas.set_threads(threads)
    kernels.use(kept)


def test_an_unknown_device_is_an_error_that_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    for ask in (device.current, device.use, defaults):
        with pytest.raises(UsageError, match="device must be cpu or gpu, found 'tpu'"):
            ask("tpu")
    with pytest.raises(SystemExit, match="2"):
        main(["run", "page", "--device", "gup"])
    message = capsys.readouterr().err
    assert "'gup'" in message
    assert "cpu" in message
    assert "gpu" in message


@pytest.mark.skipif(mx.is_available(mx.gpu), reason="this machine has a GPU")
def test_a_missing_gpu_is_an_error() -> None:
    with pytest.raises(UsageError, match="expected a GPU"):
        device.current("gpu")


def test_a_gpu_that_mlx_cannot_open_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_: object) -> dict[str, object]:
        raise RuntimeError("[metal::load_device] No Metal device available")  # as MLX 0.32 says it

    monkeypatch.setattr(mx, "device_info", refused)
    with pytest.raises(UsageError, match=r"cannot open it: .*No Metal device.* give --device cpu"):
        device.current()


def test_settings_are_applied() -> None:
    chosen = Settings(1, 77 << 20, compile_after=300, kernels=Kernels(split=4, chunk=0.5, tanh="native"))
    device.use("cpu", chosen)
    assert device.settings() == chosen
    assert kernels.current() == chosen.kernels
    assert blas.threads() in (0, 1)
    assert mx.set_cache_limit(0) == 77 << 20


def test_without_settings_the_defaults_apply() -> None:
    device.use("cpu", Settings(compile_after=300, kernels=Kernels(split=4)))
    device.use("cpu")
    assert device.settings() == defaults("cpu")
    assert kernels.current() == defaults("cpu").kernels
    assert mx.set_cache_limit(0) == defaults("cpu").cache_bytes
    assert defaults("gpu").compile_after == 50


def test_a_setting_of_none_restores_the_initial_value() -> None:
    left_open = Settings(cache_bytes=None, blas_threads=None)
    device.use("cpu", left_open)
    before = blas.threads(), mx.set_cache_limit(0)
    device.use("cpu", Settings(blas_threads=1, cache_bytes=77 << 20))
    device.use("cpu", left_open)
    assert (blas.threads(), mx.set_cache_limit(0)) == before == (blas.load().threads, before[1])


@pytest.mark.parametrize("value", [0, -1, 1.5, "many"])
def test_impossible_settings_are_errors(value: object) -> None:
    with pytest.raises(UsageError, match="compile_after must be a whole number above 0"):
        Settings(compile_after=value)  # type: ignore[arg-type]


def test_settings_can_be_read_before_mlx() -> None:
    """A worker reads them before it loads its BLAS, which it must load before MLX."""
    modules = "seqlab.machine.settings, seqlab.calibration.record, seqlab.running.calibrate"
    code = f"import sys, {modules}; print('mlx.core' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
