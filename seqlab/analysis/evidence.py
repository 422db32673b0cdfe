"""Which values does the analysis use: one number for each run, from good runs only?

Every other module of the analysis reads measurements through `Evidence`, so that a chart, a table and a
verdict never reduce the same measurements in different ways. A run that failed or diverged gives no value,
whatever it measured before; verdicts count it as a failure of its side.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import cast

import pandas as pd

from seqlab.errors import UsageError
from seqlab.notebook.experiment import RESERVED
from seqlab.notebook.figures import Level, Where, matches
from seqlab.notebook.metrics import metric_named

GOOD = "ok"
EVERYTHING: Where = MappingProxyType({})
Point = tuple[int | None, float]  # (step, value); None where the measurement has no step


@dataclass(frozen=True)
class Run:
    """One run, without its measurements. `factors` holds only the factors that the run has."""

    run: int
    factors: Mapping[str, Level]
    seed: int
    status: str
    device: str

    @cached_property
    def key(self) -> tuple[frozenset[tuple[str, Level]], int]:
        """Identifies the trial within its experiment: its factors and its seed."""
        return frozenset(self.factors.items()), self.seed


@dataclass(frozen=True)
class Evidence:
    """The runs that count for one experiment, failed ones included, and their measurements.

    The measurements of a run must be in the order in which it yielded them, as `seqlab.store` gives them.
    """

    runs: pd.DataFrame
    measurements: pd.DataFrame

    @cached_property
    def all_runs(self) -> tuple[Run, ...]:
        """Every run, good or not, in the table's order."""
        if self.runs.empty:
            return ()
        columns = [name for name in self.runs.columns if name not in RESERVED]
        present = self.runs[columns].notna().to_numpy()
        levels = self.runs[columns].to_numpy(dtype=object)
        device = self.runs["device"] if "device" in self.runs.columns else [""] * len(self.runs)
        rows = zip(self.runs["run"], self.runs["seed"], self.runs["status"], device, strict=True)
        return tuple(
            Run(
                run=int(run),
                factors={name: row[at] for at, name in enumerate(columns) if has[at]},
                seed=int(seed),
                status=str(status),
                device="" if pd.isna(where) else str(where),
            )
            for (run, seed, status, where), row, has in zip(rows, levels, present, strict=True)
        )

    @cached_property
    def good_runs(self) -> tuple[Run, ...]:
        """The runs whose values count."""
        return tuple(run for run in self.all_runs if run.status == GOOD)

    @cached_property
    def _rows(self) -> Mapping[tuple[str, str], Sequence[int]]:
        if self.measurements.empty:
            return {}
        # One pass for all metrics: a page asks for a dozen of them, often with the same split.
        groups = self.measurements.groupby(["metric", "split"], sort=False, observed=True).indices
        return cast(Mapping[tuple[str, str], Sequence[int]], groups)

    @cached_property
    def curves(self) -> tuple[str, ...]:
        """The metrics that were measured on the validation split, in the order of their first measurement."""
        return tuple(metric for metric, split in self._rows if split == "valid")

    # A page's rules ask for the same few metrics cell by cell, so each is reduced once.
    @cached_property
    def _series(self) -> dict[tuple[str, str], Mapping[int, Sequence[Point]]]:
        return {}

    @cached_property
    def _run_values(self) -> dict[tuple[str, str], Mapping[int, float]]:
        return {}

    def select(self, where: Where) -> "Evidence":
        """The evidence of the runs whose factors have these levels (failed runs stay)."""
        kept = {run.run for run in self.all_runs if matches(run.factors, where)}
        runs = self.runs[self.runs["run"].isin(kept)] if len(self.runs) else self.runs
        return Evidence(runs, self.measurements)

    def series(self, metric: str, split: str = "") -> Mapping[int, Sequence[Point]]:
        """All that each good run measured, as (step, value) in order, by run id."""
        if (metric, split) not in self._series:
            metric_named(metric)
            found: dict[int, list[Point]] = {}
            good = {run.run for run in self.good_runs}
            rows = self.measurements.iloc[list(self._rows.get((metric, split), ()))]
            if len(rows):
                steps = [None if pd.isna(step) else int(step) for step in rows["step"]]
                for run, step, value in zip(rows["run"].tolist(), steps, rows["value"].tolist(), strict=True):
                    if run in good:
                        found.setdefault(run, []).append((step, float(value)))
            self._series[metric, split] = found
        return self._series[metric, split]

    def run_values(self, metric: str, split: str = "") -> Mapping[int, float]:
        """One value for each good run that measured the metric, by run id.

        For a metric indexed by training step it is the last measurement (the score of the best checkpoint is
        yielded last); for one indexed by repeat it is the median, which a single disturbed repeat hardly
        moves. Raises `UsageError` where the index is something else, such as a distance.
        """
        if (metric, split) not in self._run_values:
            index, by_run = metric_named(metric).index, {}
            for run, points in self.series(metric, split).items():
                if index not in ("repeat", "training step") and len(points) > 1:
                    raise UsageError(
                        f"expected one value of {metric!r} for each run, found one for each {index}. "
                        f"Use the {index} as 'step'."
                    )
                values = [value for _, value in points]
                by_run[run] = statistics.median(values) if index == "repeat" else values[-1]
            self._run_values[metric, split] = by_run
        return self._run_values[metric, split]

    def values(
        self, metric: str, *, split: str = "", by: Sequence[str], where: Where | None = None
    ) -> pd.DataFrame:
        """The values as a table with columns `by`…, seed, value: a row for each run.

        With "step" in `by`, a row for each run and step, with the last value yielded there. Runs that lack a
        factor of `by`, or did not measure the metric, are left out. Raises `UsageError` as `run_values` does.
        """
        runs = [run for run in self.good_runs if matches(run.factors, where or EVERYTHING)]
        own = {name: dict(zip(self.runs["run"], self.runs[name], strict=True)) for name in self._own(by)}
        points: Mapping[int, Mapping[int | None, float]]
        if "step" in by:
            points = {run: dict(pairs) for run, pairs in self.series(metric, split).items()}
        else:
            points = {run: {None: value} for run, value in self.run_values(metric, split).items()}
        columns = list(dict.fromkeys([*by, "seed", "value"]))
        rows = []
        for run in runs:
            known = dict(run.factors) | {name: column[run.run] for name, column in own.items()}
            for step, value in points.get(run.run, {}).items():
                row = known | {"seed": run.seed, "value": value} | ({} if step is None else {"step": step})
                if all(name in row for name in by):
                    rows.append([row[name] for name in columns])
        return pd.DataFrame(rows, columns=pd.Index(columns)).astype({"value": float})

    def _own(self, by: Sequence[str]) -> list[str]:
        """Those of `by` that are columns of the runs table itself, such as the device."""
        return [name for name in by if name in RESERVED and name in self.runs.columns and name != "seed"]
