"""What did the networks of the reference reach, beside the goals that were set for them?

The goals are in `report/goals.toml`; the table of what was reached is `docs/full.md`.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seqlab.analysis.intervals import interval
from seqlab.errors import UsageError
from seqlab.notebook.figures import Level, matches
from seqlab.notebook.metrics import metric_named
from seqlab.reference.entry import Entry
from seqlab.reference.folder import Whole, find

FILE, TABLE = "report/goals.toml", "docs/full.md"
HEAD = """# What the networks of the reference reach

Made by `seqlab reference` from the runs in `report/reference/` and the goals in `report/goals.toml`, which
were set before these runs. Scores are of the test split, by the weights that did best on the validation
split: means over seeds, with 95 % intervals of the mean.

| page | what | goal | reached | seeds | beside |
| --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Goal:
    """A figure to reach, and figures of others; see `report/goals.toml` for each name."""

    page: str
    where: Mapping[str, Level]
    what: str
    metric: str
    split: str
    goal: float
    beside: str

    @property
    def higher(self) -> bool:
        """Whether a higher score is better."""
        return metric_named(self.metric).better == "higher"


@dataclass(frozen=True)
class Reached:
    """What was measured for a goal: one value a seed."""

    goal: Goal
    values: tuple[float, ...]

    @property
    def met(self) -> bool | None:
        """Whether the mean reaches the goal; None where nothing was measured."""
        if not self.values:
            return None
        mean = sum(self.values) / len(self.values)
        return mean >= self.goal.goal if self.goal.higher else mean <= self.goal.goal

    def row(self) -> str:
        """A line of the table."""
        bound = "at least" if self.goal.higher else "at most"
        return (
            f"| `{self.goal.page}` | {self.goal.what} | {bound} {self.goal.goal:g} | {self._told()} | "
            f"{len(self.values)} | {self.goal.beside} |"
        )

    def _told(self) -> str:
        if not self.values:
            return "not measured yet"
        found = interval(self.values)
        shown = f"{found.estimate:.3f}"
        if len(self.values) > 2:
            shown += f" [{found.low:.3f}, {found.high:.3f}]"
        return shown if self.met else f"{shown}: missed"


def read(path: Path) -> list[Goal]:
    """The goals of the file. Raises `UsageError` for one that is not as its head says."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))["goal"]
        return [_goal(one, number, path.name) for number, one in enumerate(said, start=1)]
    except (KeyError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"expected [[goal]] tables in {path.name}, found none that can be read: {error}."
        ) from None


def _goal(said: Mapping[str, Any], number: int, name: str) -> Goal:
    expected = {field.name for field in fields(Goal)}
    if said.keys() != expected:
        wrong = ", ".join(sorted(said.keys() ^ expected))
        raise UsageError(
            f"expected the names {', '.join(sorted(expected))} in goal {number} of {name}, and no others; "
            f"missing or unknown: {wrong}."
        )
    metric_named(said["metric"])  # or a UsageError that suggests one
    return Goal(**said)


def reached(goals: Sequence[Goal], reference: Whole) -> Iterator[Reached]:
    """Each goal with what the reference's good runs measured of it."""
    entries: dict[str, list[Entry]] = {}
    for goal in goals:
        if goal.page not in entries:
            entries[goal.page] = reference.entries(goal.page)
        yield Reached(goal, tuple(_values(goal, entries[goal.page])))


def _values(goal: Goal, entries: Sequence[Entry]) -> Iterator[float]:
    for entry in entries:
        if entry.status == "ok" and matches(entry.factors, goal.where):
            for step, value in entry.series.get((goal.metric, goal.split), ()):
                if step is None:
                    yield value


def write(root: Path, folder: Path) -> bool:
    """Write the table of the reference in `folder`; whether it changed. A project without goals has none."""
    path, found = root / FILE, find(folder)
    if not path.is_file() or found is None:
        return False
    table, text = root / TABLE, document(read(path), found)
    if table.is_file() and table.read_text(encoding="utf-8") == text:
        return False
    table.parent.mkdir(exist_ok=True)
    table.write_text(text, encoding="utf-8")
    return True


def document(goals: Sequence[Goal], reference: Whole) -> str:
    """The whole text of the table."""
    return HEAD + "".join(f"{one.row()}\n" for one in reached(goals, reference))
