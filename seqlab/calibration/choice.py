"""Which of several settings is faster, beyond what noise would show?

All candidates take turns, round by round, so that a disturbance meets them alike. The first one is the
default and stays unless another is faster by more than 5 % in its median round and in nine of ten
rounds: with the seven rounds that it takes at least, two equally fast ones differ so at most once in 128
times. Of k others, all as fast as the default, one is taken at most k times in 128: it costs nothing but
another order of the same sums. Of several that pass, the fastest in its median round is taken.
"""

import math
import time
from collections.abc import Callable, Sequence
from statistics import median

GAIN = 0.05  # less is not worth another order of the same sums
SHARE = 0.9  # of the rounds that must agree
LEAST_ROUNDS, MOST_ROUNDS = 7, 40
PATIENCE = 6  # times the seconds given; a machine too busy for seven rounds by then keeps its default

Timer = Callable[[], float]  # runs one candidate once and tells the seconds
Times = list[list[float]]  # of each candidate, by round


def rounds(timers: Sequence[Timer], *, seconds: float) -> Times:
    """Let the candidates take turns for so many seconds, and for seven rounds if that takes longer."""
    times: Times = [[] for _ in timers]
    begin = time.perf_counter()
    for index in range(MOST_ROUNDS):
        patience = seconds if index >= LEAST_ROUNDS else PATIENCE * seconds
        if index >= 2 and time.perf_counter() - begin > patience:
            break
        for timer, taken in zip(timers, times, strict=True):
            taken.append(timer())
    return times


def fastest(times: Times) -> int:
    """Which candidate to take: the default, 0, unless another is faster beyond noise."""
    best, least = 0, 1 - GAIN
    if len(times[0]) < LEAST_ROUNDS:
        return best
    for index, taken in enumerate(times[1:], start=1):
        ratios = [ours / default for ours, default in zip(taken, times[0], strict=True)]
        agreeing = sum(ratio < 1 for ratio in ratios)
        if median(ratios) < least and agreeing >= SHARE * len(ratios):
            best, least = index, median(ratios)
    return best


def break_even(first: float, times: Times) -> int | None:
    """After how many steps a compiled step has paid for its compilation; None where it never does.

    `first` is the time of its first call; `times` are those of the plain step and of the compiled one.
    """
    if not fastest(times):
        return None
    plain, compiled = map(median, times)
    return max(1, math.ceil((first - compiled) / (plain - compiled)))
