"""Which learning rates were tried for a network before, and how did each do?

`seqlab tune PAGE` tries them in stored trials of a seed that no verdict uses, and writes what it found beside
the page: `experiments/rates/PAGE.csv`, a row for each rate of each network. Whoever changes how a page trains
must tune again: a row counts only for the settings that it was tried for.
"""

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

from seqlab.errors import UsageError
from seqlab.notebook.experiment import Factors, Trial
from seqlab.training.rates import Search

FOLDER = "rates"
ALIKE = 0.01  # of the distance from the best score to the median
TRIED_FOR, RATE, SCORE = "settings", "rate", "score"  # columns, beside those of the factors
# Settings that a rate does not belong to. It is tried in shorter trainings than those that it is for: it is
# constant until they end, so its effect on the first steps does not depend on how many follow.
NOT_TRAINING = frozenset({"rate", "tuning", "together", "steps", "evaluations"})


@dataclass(frozen=True)
class TriedRates:
    """The record of a page, read when a trial first asks for it."""

    path: Path | None = None
    _rows: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def beside(cls, page: str) -> "TriedRates":
        """The record of the page with this file name (`__file__`). It may be missing."""
        return cls(Path(page).parent / FOLDER / f"{Path(page).stem}.csv")

    @cached_property
    def rows(self) -> tuple[Mapping[str, str], ...]:
        """A row for each rate tried. Raises `UsageError` for a file that is no such record."""
        if self.path is None or not self.path.is_file():
            return self._rows
        with self.path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = tuple(reader)
            if not {TRIED_FOR, RATE, SCORE} <= set(reader.fieldnames or ()):
                raise UsageError(
                    f"expected the columns {TRIED_FOR}, {RATE} and {SCORE} in {self.path}, "
                    f"found {', '.join(reader.fieldnames or ()) or 'none'}. Make it anew: seqlab tune."
                )
        return rows

    def search(self, trial: Trial) -> Search | None:
        """What was tried for the trial's network and settings; None where nothing was."""
        tried = [(_number(row[RATE]), _number(row[SCORE])) for row in self.rows if _belongs(row, trial)]
        return Search(best_rate(tried), tuple(sorted(tried))) if any(map(_finite, tried)) else None


def best_rate(tried: Iterable[tuple[float, float]]) -> float:
    """Of (rate, score) pairs, the lowest rate that does as well as the best: lower scores are better.

    Scores are alike that differ by less than a hundredth of the distance from best to median. Where a task is
    solved at many rates, noise would otherwise choose an extreme one.
    """
    finite = list(filter(_finite, tried))
    scores = [score for _, score in finite]
    alike = ALIKE * (median(scores) - min(scores))
    return min(rate for rate, score in finite if score <= min(scores) + alike)


def _finite(tried: tuple[float, float]) -> bool:
    return math.isfinite(tried[1])


def tried_for(settings: Factors) -> str:
    """A hash of the settings that the best rate may depend on."""
    kept = {name: value for name, value in settings.items() if name not in NOT_TRAINING}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:8]


def write(path: Path, by: Sequence[str], rows: Iterable[tuple[Factors, Factors, float, float]]) -> None:
    """Write a record: for each rate the levels that it belongs to, the settings, the rate and its score."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    with aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*by, TRIED_FOR, RATE, SCORE))
        for levels, settings, rate, score in rows:
            shown = f"{score:.6g}" if math.isfinite(score) else "diverged"
            writer.writerow((*(levels[name] for name in by), tried_for(settings), f"{rate:g}", shown))
    aside.replace(path)


def _belongs(row: Mapping[str, str], trial: Trial) -> bool:
    levels = {name: text for name, text in row.items() if name not in (TRIED_FOR, RATE, SCORE)}
    return row[TRIED_FOR] == tried_for(trial.settings) and all(
        str(trial.get(name, "")) == text for name, text in levels.items()
    )


def _number(text: str) -> float:
    return math.inf if text == "diverged" else float(text)
