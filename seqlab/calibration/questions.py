"""What can only the device itself answer? Asked of whatever device MLX computes on.

The questions take a minute at most and change nothing. The answers name no user, no host and no folder.
"""

import gc
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mlx.core as mx
import psutil
from mlx import nn

from seqlab.measure.ceilings import product_precision
from seqlab.measure.memory import peak_memory
from seqlab.models import lstm
from seqlab.training.optimizer import adamw
from seqlab.training.step import training_step

MIB = 1 << 20


@dataclass(frozen=True)
class Question:
    """What is asked, why the answer matters, and how it is found; it may raise anything."""

    asked: str
    why: str
    ask: Callable[[], str]


def answers() -> Iterator[tuple[Question, str]]:
    """Every question with its answer, or with the error that kept it from one, in one line."""
    for question in QUESTIONS:
        try:
            answer = question.ask()
        except Exception as error:  # noqa: BLE001 - an answer too
            answer = f"{type(error).__name__}: {error}"
        yield question, " ".join(answer.split())


def _system() -> str:
    mac = platform.mac_ver()[0]
    system = f"macOS {mac}" if mac else f"{platform.system()} {platform.release()}"
    return f"{system}, {platform.machine()}, Python {platform.python_version()}"


def _device() -> str:
    told = mx.device_info(mx.default_device())
    return ", ".join(f"{name} {value}" for name, value in sorted(told.items()))


def _rotation() -> str:
    """The largest difference between rotary positions of this device and of the CPU, near and far."""
    x = mx.ones((1, 1, 8, 64))
    found = []
    for offset in (0, 8_192, 131_072):
        here = mx.fast.rope(x, 64, traditional=False, base=10_000.0, scale=1.0, offset=offset)
        there = mx.fast.rope(x, 64, traditional=False, base=10_000.0, scale=1.0, offset=offset, stream=mx.cpu)
        mx.eval(here, there)
        found.append(f"{mx.max(mx.abs(here - there)).item():.1e} at {offset:,}")
    return ", ".join(found)


def _transform() -> str:
    """The largest difference between transforms of this device and of the CPU, as a share of the largest."""
    found = []
    for length in (1_024, 8_192):
        x = mx.random.normal((4, length), key=mx.random.key(0))
        here, there = mx.fft.rfft(x), mx.fft.rfft(x, stream=mx.cpu)
        difference, largest = mx.max(mx.abs(here - there)), mx.max(mx.abs(there))
        found.append(f"{(difference / largest).item():.1e} at {length:,}")
    return ", ".join(found)


def _repeats() -> str:
    """Whether the gradient of an embedding, a sum in whatever order, is the same each time."""
    tokens = mx.random.randint(0, 16, (20_000,), key=mx.random.key(0))
    rows = mx.random.normal((20_000, 32), key=mx.random.key(1))
    sums = [mx.zeros((16, 32)).at[tokens].add(rows) for _ in range(5)]
    mx.eval(sums)
    same = sum(bool(mx.array_equal(one, sums[0]).item()) for one in sums[1:])
    return f"{same} of 4 repeats bit for bit equal"


def _compiling() -> str:
    """Seconds of the first compiled training step of an LSTM, and of the second, by length."""
    found = []
    for length in (32, 128, 512):
        model = lstm.Model(lstm.Config(width=32))
        x = mx.random.normal((4, length, 32), key=mx.random.key(0))

        def loss(model: nn.Module, x: mx.array) -> mx.array:
            return mx.mean(model(x) ** 2)

        step = training_step(model, loss, adamw(1e-3, weight_decay=0.0), compiled=True)
        times = []
        for _ in range(2):
            began = time.perf_counter()
            mx.eval(step(x))
            times.append(time.perf_counter() - began)
        found.append(f"length {length}: {times[0]:.2f} s, then {1e3 * times[1]:.1f} ms")
    return "; ".join(found)


def _visible() -> str:
    """By how much the process grows when MLX takes 256 MiB, and MLX's own count."""
    gc.collect()
    mx.clear_cache()
    process = psutil.Process()
    size, active = process.memory_info().rss, mx.get_active_memory()
    array = mx.random.normal((64, MIB))
    mx.eval(array)
    grown, counted = process.memory_info().rss - size, mx.get_active_memory() - active
    return f"the process grew by {grown / MIB:.0f} MiB, MLX counts {counted / MIB:.0f} MiB"


def _peak() -> str:
    """How many times the two arrays that one of 64 steps in a row needs a peak is, as memory is measured."""
    x = mx.random.normal((1_024, 1_024))
    mx.eval(x)

    def chain() -> mx.array:
        y = x
        for _ in range(64):
            y = y[::-1] * 0.5  # of a view, so that nothing is written over
        return y

    one = peak_memory(chain) / (8 * MIB)
    mx.synchronize()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    mx.eval(chain())
    mx.synchronize()
    return f"{one:.1f} times, with a queue {(mx.get_peak_memory() - before) / (8 * MIB):.1f}"


QUESTIONS = (
    Question("system", "which machine answers", _system),
    Question("device", "its limits of memory and buffers", _device),
    Question("products", "float32 products may keep 10 bits", product_precision),
    Question("rotary positions", "a GPU's sine may be coarse at far positions", _rotation),
    Question("Fourier transforms", "the cosines of a GPU's may be coarse", _transform),
    Question("sums of rows", "a resumed training repeats only where they do", _repeats),
    Question("compiling", "when it pays to compile a recurrence", _compiling),
    Question("visible memory", "the limit of a trial watches both", _visible),
    Question("peak of a chain", "1 if it is of the work, more if it is of the queue", _peak),
)
