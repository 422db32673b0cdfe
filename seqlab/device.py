"""On which device does MLX compute here?"""

from dataclasses import dataclass

import mlx.core as mx

from seqlab.errors import UsageError

# MLX keeps at most 32 MB of freed buffers on a CPU. Measured on 2 cores: with 1 GiB a training step of a
# Transformer at length 512 took 0.75 of the time, shorter ones the same.
CPU_CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class Device:
    """`kind` is cpu or gpu; `name` tells this machine's device from others; `mlx` is MLX's version."""

    kind: str
    name: str
    mlx: str


def current(kind: str | None = None) -> Device:
    """MLX's own choice, or the wanted kind; `UsageError` where this machine or build has no GPU."""
    if kind == "gpu" and not mx.is_available(mx.gpu):
        raise UsageError(
            "expected a GPU for --device gpu, found none that this build of MLX can use. "
            "On Linux install the CUDA build (see README); on a Mac use Apple silicon."
        )
    wanted = {"gpu": mx.gpu, "cpu": mx.cpu, None: mx.default_device().type}[kind]
    told = mx.device_info(wanted)
    label = "gpu" if wanted == mx.gpu else "cpu"
    name = f"{label} ({told.get('device_name') or told.get('architecture')})"
    return Device(label, name, vars(mx)["__version__"])  # an attribute that MLX's type stubs leave out


def use(kind: str) -> None:
    """Compute on this kind of device from here on, with the settings that suit it."""
    mx.set_default_device(mx.Device(mx.gpu if kind == "gpu" else mx.cpu))
    if kind == "cpu":
        mx.set_cache_limit(CPU_CACHE_BYTES)
