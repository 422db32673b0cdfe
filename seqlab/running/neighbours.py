"""Which known point of a page is most like this one?

A name whose levels are words counts 1 where they differ; one whose levels are positive numbers counts by
their ratio, and 1 from a factor of `FAR` on. A setting counts `SETTING` times as much as a factor, since
settings (steps, sizes) tell budgets apart.
"""

from collections.abc import Mapping
from typing import TypeGuard

import numpy as np

from seqlab.notebook.figures import Level

FAR = 8.0  # doublings: a ratio of 256, as far apart as two words
SETTING = 10.0  # more than any page has factors: the nearest point has the nearest settings

Names = tuple[bool, str]  # whether it is a setting, and its name


class Neighbours:
    """Points of one page, each by its factors and settings, and the nearest of them to any other."""

    def __init__(self) -> None:
        self._rows: list[dict[Names, Level]] = []
        self._columns: dict[Names, tuple[dict[object, int], np.ndarray, np.ndarray]] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, factors: Mapping[str, Level], settings: Mapping[str, Level]) -> None:
        """Add a point; its number is the count of those before it."""
        self._rows.append(_row(factors, settings))
        self._columns = None

    def nearest(self, factors: Mapping[str, Level], settings: Mapping[str, Level]) -> int | None:
        """The number of the nearest point, the latest of equals; None where there is none."""
        if not self._rows:
            return None
        columns, wanted = self._indexed(), _row(factors, settings)
        distance = np.zeros(len(self._rows))
        for name in columns.keys() | wanted.keys():
            weight = SETTING if name[0] else 1.0
            if name not in columns or name not in wanted:
                distance += weight if name not in columns else weight * (columns[name][1] >= 0)
                continue
            codes, own, logs = columns[name]
            level = wanted[name]
            apart = (own != codes.get(_typed(level), -2)).astype(float)
            if _positive(level):
                ratio = np.abs(logs - np.log2(level)) / FAR
                apart = np.where(np.isnan(ratio), apart, np.minimum(ratio, 1.0))
            distance += weight * apart
        return len(self._rows) - 1 - int(np.argmin(distance[::-1]))

    def _indexed(self) -> dict[Names, tuple[dict[object, int], np.ndarray, np.ndarray]]:
        """For each name: the code of each level, the points' codes (-1 for none), log2 of their numbers."""
        if self._columns is None:
            self._columns = {}
            for name in dict.fromkeys(name for row in self._rows for name in row):
                levels = [row.get(name) for row in self._rows]
                codes: dict[object, int] = {}
                own = [-1 if lv is None else codes.setdefault(_typed(lv), len(codes)) for lv in levels]
                logs = [np.log2(lv) if _positive(lv) else np.nan for lv in levels]
                self._columns[name] = codes, np.array(own), np.array(logs)
        return self._columns


def _row(factors: Mapping[str, Level], settings: Mapping[str, Level]) -> dict[Names, Level]:
    named = {(False, name): level for name, level in factors.items()}
    return named | {(True, name): level for name, level in settings.items()}


def _typed(level: Level) -> object:
    return (type(level) is bool, level)  # True is not 1


def _positive(level: object) -> TypeGuard[int | float]:
    return isinstance(level, int | float) and not isinstance(level, bool) and level > 0
