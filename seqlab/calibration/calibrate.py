"""Which settings are the fastest on this device? Tries them, one setting after another.

It wants a process of its own: threads, caches and compiled kernels stay with a process. What is chosen
for one setting holds while the next is tried. Compiling is to be timed cold, as the first run of a model
meets it: `seqlab.running.calibrate` sets MLX's folder of compiled kernels aside.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median, quantiles
from typing import Any

import mlx.core as mx
import psutil

from seqlab.calibration import work
from seqlab.calibration.choice import LEAST_ROUNDS, Times, break_even, fastest, rounds
from seqlab.calibration.record import Calibration, Figure, Machine, now
from seqlab.machine import blas, device
from seqlab.machine.settings import Settings, defaults
from seqlab.measure.ceilings import ceilings

SECONDS = 0.6  # for one setting: with compilation and the ceilings about 40 s on two cores
CACHES = (32 << 20, 4 << 30)  # beside the default; MLX's own on a CPU, and four times the default
CACHE_SHARE = 0.25  # of the memory: what is cached is not there for others

Change = Callable[[Settings, Any], Settings]


def calibrate(kind: str, *, seconds: float = SECONDS) -> Calibration:
    """Try all settings of a kind of device, `seconds` each; compilation takes what it takes."""
    begin, others = time.perf_counter(), _time_of_others()
    found = device.current(kind)
    machine = Machine.here(found.kind, found.name, found.mlx)
    settings, figures = defaults(kind), []
    mx.random.seed(0)
    for name, values, change, prepare in _trials(kind):
        if len(values) < 2:
            settings = change(settings, values[0])
            continue
        candidates = [change(settings, value) for value in values]
        device.use(kind, candidates[0])
        step = prepare()
        times = rounds([_timer(kind, candidate, step) for candidate in candidates], seconds=seconds)
        chosen = fastest(times)
        settings = candidates[chosen]
        figures += _figures(name, [_shown(value) for value in values], times, chosen)
    device.use(kind, settings)
    compiling: list[Figure] = []
    known, after, timed = _compilation("parallel", *work.parallel_steps(), seconds=seconds)
    settings = replace(settings, compile_after=after) if known else settings
    compiling += timed
    known, after, timed = _compilation("recurrent", *work.unrolled_steps(), seconds=seconds)
    settings = replace(settings, compile_unrolled_after=after) if known else settings
    compiling += timed
    most = ceilings()
    taken = time.perf_counter() - begin
    return Calibration(
        machine=machine,
        settings=settings,
        figures=(*figures, *compiling),
        flops_per_second=most.products.best,
        bytes_per_second=most.bandwidth.best,
        seconds=taken,
        others=max(0.0, _time_of_others() - others) / taken / (psutil.cpu_count() or 1),
        date=now(),
    )


def _trials(kind: str) -> Iterator[tuple[str, Sequence[Any], Change, Callable[[], work.Step]]]:
    """Each setting: its name, the values to try with the default first, and the work to judge by."""
    if kind == "cpu":
        yield "BLAS threads", _threads(), lambda s, value: replace(s, blas_threads=value), work.products
        default = defaults(kind).cache_bytes
        most = psutil.virtual_memory().total * CACHE_SHARE
        caches = [default, *(cache for cache in CACHES if cache <= most)]
        yield "buffer cache", caches, lambda s, value: replace(s, cache_bytes=value), work.attention_step

    def form(name: str) -> Change:
        return lambda s, value: replace(s, kernels=replace(s.kernels, **{name: value}))

    yield "split", (8, 4), form("split"), work.recurrent_gradient
    yield "chunk", (1.0, 0.5, 2.0), form("chunk"), work.scan_gradient
    default_forms = defaults(kind).kernels
    for name, values, prepare in (
        ("tanh", ("native", "rational"), work.activation_gradient),
        ("exp", ("native", "polynomial"), work.softmax_gradient),
        ("rope", ("native", "written"), work.rotation_gradient),
    ):
        first = getattr(default_forms, name)
        yield name, (first, *(value for value in values if value != first)), form(name), prepare


def _threads() -> list[int | None]:
    """What the BLAS began with, then powers of two below it and the number of physical cores."""
    most = blas.threads()
    if blas.load().library is None:
        return [None]  # it cannot be told
    fewer = {2**power for power in range(most.bit_length())} | {psutil.cpu_count(logical=False) or most}
    return [most, *sorted(count for count in fewer if count < most)]


def _timer(kind: str, settings: Settings, step: work.Step) -> Callable[[], float]:
    def timer() -> float:
        device.use(kind, settings)
        mx.eval(step())  # buffers and threads as this setting leaves them
        return _seconds(step)

    return timer


def _compilation(
    what: str, plain: work.Step, compiled: work.Step, *, seconds: float
) -> tuple[bool, int | None, list[Figure]]:
    """Whether there was time to tell, from how many steps on compiling pays, and the figures."""
    mx.eval(plain())
    first = _seconds(compiled)
    times = rounds([lambda: _seconds(plain), lambda: _seconds(compiled)], seconds=seconds)
    after = break_even(first, times)
    figures = _figures(f"{what} step", ["plain", "compiled"], times, fastest(times))
    cold = Figure(f"first {what} step", "compiled", first, first, first, chosen=after is not None)
    return len(times[0]) >= LEAST_ROUNDS, after, [*figures, cold]


def _figures(name: str, values: Sequence[str], times: Times, chosen: int) -> list[Figure]:
    made = []
    for index, (value, taken) in enumerate(zip(values, times, strict=True)):
        low, _, high = quantiles(taken, n=4, method="inclusive")  # within what was seen
        made.append(Figure(name, value, median(taken), low, high, index == chosen))
    return made


def _shown(value: Any) -> str:
    large = isinstance(value, int) and value >= 1 << 20
    return f"{value >> 20:,} MiB" if large else f"{value:g}" if isinstance(value, float) else str(value)


def _time_of_others() -> float:
    """Seconds that all processors were at work so far, less those of this process and its compilers."""
    spent = psutil.cpu_times()._asdict()
    idle = ("idle", "iowait", "guest", "guest_nice")  # a guest's time is told twice
    return float(sum(spent[name] for name in spent if name not in idle)) - sum(os.times()[:4])


def _seconds(step: work.Step) -> float:
    mx.synchronize()
    begin = time.perf_counter()
    mx.eval(step())
    return time.perf_counter() - begin
