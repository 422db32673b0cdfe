"""Calibration: times the values of each setting, one setting after another, and chooses the fastest.

It needs a process of its own, since threads, caches and compiled kernels stay with a process. The value
chosen for one setting applies while the next is timed. Compilation is timed cold, as in the first run of a
model: `seqlab.running.calibrate` gives MLX an empty folder for compiled kernels.
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
from seqlab.calibration.choice import MIN_ROUNDS, Times, break_even, fastest, rounds
from seqlab.calibration.record import Calibration, Machine, Timing, now
from seqlab.machine import blas, device
from seqlab.machine.settings import Settings, defaults
from seqlab.measure.ceilings import ceilings

SECONDS = 0.6  # per setting; with compilation and the ceilings about 40 s on two cores
CACHES = (32 << 20, 4 << 30)  # bytes, beside the default: MLX's own on a CPU, and four times the default
CACHE_SHARE = 0.25  # of memory at most, which other processes cannot use

Change = Callable[[Settings, Any], Settings]


def calibrate(kind: str, *, seconds: float = SECONDS) -> Calibration:
    """Calibrate a kind of device, `seconds` per setting; compilation takes as long as it takes."""
    begin, others = time.perf_counter(), _time_of_others()
    found = device.current(kind)
    machine = Machine.here(found.kind, found.name, found.mlx)
    settings, timings = defaults(kind), []
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
        timings += _timings(name, [_label(value) for value in values], times, chosen)
    device.use(kind, settings)
    compilation: list[Timing] = []
    known, after, timed = _compilation("parallel", *work.parallel_steps(), seconds=seconds)
    settings = replace(settings, compile_after=after) if known else settings
    compilation += timed
    known, after, timed = _compilation("recurrent", *work.unrolled_steps(), seconds=seconds)
    settings = replace(settings, compile_unrolled_after=after) if known else settings
    compilation += timed
    most = ceilings()
    taken = time.perf_counter() - begin
    return Calibration(
        machine=machine,
        settings=settings,
        timings=(*timings, *compilation),
        flops_per_second=most.products.best,
        bytes_per_second=most.bandwidth.best,
        seconds=taken,
        others=max(0.0, _time_of_others() - others) / taken / (psutil.cpu_count() or 1),
        date=now(),
    )


def _trials(kind: str) -> Iterator[tuple[str, Sequence[Any], Change, Callable[[], work.Step]]]:
    """Each setting: its name, the values to time with the default first, and the workload."""
    if kind == "cpu":
        yield "BLAS threads", _threads(), lambda s, value: replace(s, blas_threads=value), work.products
        default = defaults(kind).cache_bytes
        most = psutil.virtual_memory().total * CACHE_SHARE
        caches = [default, *(cache for cache in CACHES if cache <= most)]
        yield "buffer cache", caches, lambda s, value: replace(s, cache_bytes=value), work.attention_step

    def variant(name: str) -> Change:
        return lambda s, value: replace(s, kernels=replace(s.kernels, **{name: value}))

    yield "split", (8, 4), variant("split"), work.recurrent_gradient
    yield "chunk", (1.0, 0.5, 2.0), variant("chunk"), work.scan_gradient
    default_kernels = defaults(kind).kernels
    for name, values, prepare in (
        ("tanh", ("native", "rational"), work.activation_gradient),
        ("exp", ("native", "polynomial"), work.softmax_gradient),
        ("rope", ("native", "elementwise"), work.rotation_gradient),
    ):
        first = getattr(default_kernels, name)
        yield name, (first, *(value for value in values if value != first)), variant(name), prepare


def _threads() -> list[int | None]:
    """The BLAS's initial number of threads, then smaller ones: powers of two and the physical cores."""
    most = blas.threads()
    if blas.load().library is None:
        return [None]  # it cannot be set
    fewer = {2**power for power in range(most.bit_length())} | {psutil.cpu_count(logical=False) or most}
    return [most, *sorted(count for count in fewer if count < most)]


def _timer(kind: str, settings: Settings, step: work.Step) -> Callable[[], float]:
    def timer() -> float:
        device.use(kind, settings)
        mx.eval(step())  # warm up buffers and threads under this setting
        return _seconds(step)

    return timer


def _compilation(
    what: str, plain: work.Step, compiled: work.Step, *, seconds: float
) -> tuple[bool, int | None, list[Timing]]:
    """Whether there was time for enough rounds, the steps after which compilation pays off, and timings."""
    mx.eval(plain())
    first = _seconds(compiled)
    times = rounds([lambda: _seconds(plain), lambda: _seconds(compiled)], seconds=seconds)
    after = break_even(first, times)
    timings = _timings(f"{what} step", ["plain", "compiled"], times, fastest(times))
    cold = Timing(f"first {what} step", "compiled", first, first, first, chosen=after is not None)
    return len(times[0]) >= MIN_ROUNDS, after, [*timings, cold]


def _timings(name: str, values: Sequence[str], times: Times, chosen: int) -> list[Timing]:
    timings = []
    for index, (value, taken) in enumerate(zip(values, times, strict=True)):
        low, _, high = quantiles(taken, n=4, method="inclusive")  # "inclusive": within the observed range
        timings.append(Timing(name, value, median(taken), low, high, index == chosen))
    return timings


def _label(value: Any) -> str:
    large = isinstance(value, int) and value >= 1 << 20
    return f"{value >> 20:,} MiB" if large else f"{value:g}" if isinstance(value, float) else str(value)


def _time_of_others() -> float:
    """Seconds of processor time used so far by all other processes than this one and its compilers."""
    spent = psutil.cpu_times()._asdict()
    idle = ("idle", "iowait", "guest", "guest_nice")  # guest time is also counted as user time
    return float(sum(spent[name] for name in spent if name not in idle)) - sum(os.times()[:4])


def _seconds(step: work.Step) -> float:
    mx.synchronize()
    begin = time.perf_counter()
    mx.eval(step())
    return time.perf_counter() - begin
