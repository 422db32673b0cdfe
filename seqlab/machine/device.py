"""The device on which MLX computes, and its settings."""

from dataclasses import dataclass

import mlx.core as mx

from seqlab.errors import UsageError
from seqlab.machine import blas, kernels
from seqlab.machine.settings import Settings, check_kind, defaults


@dataclass(frozen=True)
class Device:
    """A device: `kind` is cpu or gpu, `name` identifies the model, `mlx` is the version of MLX."""

    kind: str
    name: str
    mlx: str


_settings: Settings | None = None
_own_cache: int | None = None  # MLX's default limit of freed buffers, in bytes


def current(kind: str | None = None) -> Device:
    """MLX's default device, or that of a kind.

    Raises `UsageError` if there is no GPU but one is wanted, or none that MLX can open, as in a sandbox.
    """
    if kind is not None:
        check_kind(kind)
    if kind == "gpu" and not mx.is_available(mx.gpu):
        raise UsageError(
            "expected a GPU for --device gpu, found none that this build of MLX can use. "
            "On Linux install the CUDA build (see README), on a Mac use Apple silicon, or give --device cpu."
        )
    try:
        wanted = {"gpu": mx.gpu, "cpu": mx.cpu, None: mx.default_device().type}[kind]
        info = mx.device_info(wanted)
    except RuntimeError as error:  # Metal's build looks for its device at the first call
        raise UsageError(
            f"expected a device for --device {kind or 'gpu'}, but MLX cannot open it: {error} "
            "Sandboxes and some virtual machines hide the GPU: run outside, or give --device cpu."
        ) from None
    label = "gpu" if wanted == mx.gpu else "cpu"
    name = f"{label} ({info.get('device_name') or info.get('architecture')})"
    return Device(label, name, vars(mx)["__version__"])  # MLX's type stubs lack it


def use(kind: str, settings: Settings | None = None) -> None:
    """Compute on this kind of device from now on, with these settings or its defaults.

    A setting of None restores what the library started with, whatever was set since.
    """
    global _settings, _own_cache
    check_kind(kind)
    _settings = settings or defaults(kind)
    mx.set_default_device(mx.Device(mx.gpu if kind == "gpu" else mx.cpu))
    blas.set_threads(_settings.blas_threads or blas.load().threads)
    if _own_cache is None:
        _own_cache = mx.set_cache_limit(0)
    mx.set_cache_limit(_own_cache if _settings.cache_bytes is None else _settings.cache_bytes)
    kernels.use(_settings.kernels)


def settings() -> Settings:
    """The settings last given to `use` in this process, or the defaults of the device."""
    on_cpu = mx.default_device().type == mx.DeviceType.cpu
    return _settings or defaults("cpu" if on_cpu else "gpu")
