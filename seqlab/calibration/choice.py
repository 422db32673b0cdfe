"""Which of several candidates is faster, beyond the noise of the timings?

All candidates take turns, round by round, so that a disturbance affects them equally. The first one is the
default. It stays unless another is more than 5 % faster in its median round and faster in nine of ten rounds.
With the minimum of seven rounds, one of two equally fast candidates passes with a probability of at most
1/128, and one of k others with at most k/128; such an error costs nothing. If several pass, the one
with the fastest median round is chosen.
"""

import math
import time
from collections.abc import Callable, Sequence
from statistics import median

MIN_GAIN = 0.05  # a smaller one is not worth different last digits
MIN_SHARE = 0.9  # of rounds that must agree
MIN_ROUNDS, MAX_ROUNDS = 7, 40
PATIENCE = 6  # times the given seconds; a machine too busy for seven rounds in that time keeps its default

Timer = Callable[[], float]  # runs one candidate once and returns the seconds
Times = list[list[float]]  # by candidate, then by round


def rounds(timers: Sequence[Timer], *, seconds: float) -> Times:
    """Let the candidates take turns for `seconds`, or for seven rounds if that takes longer."""
    times: Times = [[] for _ in timers]
    begin = time.perf_counter()
    for index in range(MAX_ROUNDS):
        patience = seconds if index >= MIN_ROUNDS else PATIENCE * seconds
        if index >= 2 and time.perf_counter() - begin > patience:
            break
        for timer, taken in zip(timers, times, strict=True):
            taken.append(timer())
    return times


def fastest(times: Times) -> int:
    """The index of the candidate to use: 0, the default, unless another is faster beyond noise."""
    best, least = 0, 1 - MIN_GAIN
    if len(times[0]) < MIN_ROUNDS:
        return best
    for index, taken in enumerate(times[1:], start=1):
        ratios = [ours / default for ours, default in zip(taken, times[0], strict=True)]
        agreeing = sum(ratio < 1 for ratio in ratios)
        if median(ratios) < least and agreeing >= MIN_SHARE * len(ratios):
            best, least = index, median(ratios)
    return best


def break_even(first: float, times: Times) -> int | None:
    """The number of steps after which compilation has paid off; None if it never does.

    `first` is the time of the first compiled step, in seconds; `times` has those of the plain step and of the
    compiled one.
    """
    if not fastest(times):
        return None
    plain, compiled = map(median, times)
    return max(1, math.ceil((first - compiled) / (plain - compiled)))
