"""What was found on each page? The runs that count, from the store, and the verdicts on its claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.verdicts import judge
from seqlab.notebook.claims import Verdict
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Figure, matches
from seqlab.store.database import Store
from seqlab.store.tables import Tables, load


@dataclass(frozen=True)
class PageFindings:
    """One page with what was measured: the runs that count, and the verdicts.

    The page keeps only those figures for which a trial was planned, so that what a budget leaves out makes no
    empty chart.
    """

    experiment: Experiment
    evidence: Evidence
    verdicts: tuple[Verdict, ...]
    settings: Mapping[str, object] = field(default_factory=dict)  # of the planned trials


def analyse_pages(
    pages: Sequence[tuple[Experiment, Sequence[Trial]]], numbers: Mapping[str, Sequence[int]], store: Store
) -> list[PageFindings]:
    """Load the runs with these numbers and judge every claim of each page.

    `numbers` holds, for each page by name, the numbers of its runs that count. Raises `UsageError` for
    a rule that cannot be judged as it is written.
    """
    tables = load(store.path, runs=[number for chosen in numbers.values() for number in chosen])
    found = []
    for experiment, planned in pages:
        evidence = _evidence(tables, experiment)
        # Trials run in a shuffled order; what is shown has the order of the grid.
        ordered = sorted(planned, key=lambda trial: (experiment.point_order(trial.factors), trial.seed))
        settings = dict(planned[0].settings) if planned else {}
        shown = tuple(figure for figure in experiment.figures if _planned(figure, planned))
        verdicts = judge(experiment, evidence, ordered)
        found.append(PageFindings(replace(experiment, figures=shown), evidence, verdicts, settings))
    return found


def _planned(figure: Figure, planned: Sequence[Trial]) -> bool:
    """Whether the figure would show any planned trial; without any plan, every figure is kept."""
    return not planned or any(matches(trial.factors, figure.where) for trial in planned)


def _evidence(tables: Tables, experiment: Experiment) -> Evidence:
    runs = tables.runs[tables.runs["experiment"] == experiment.name]
    # Drop the columns of other pages' factors, which are empty here.
    runs = runs.dropna(axis="columns", how="all") if len(runs) else runs
    names = {name for budget in experiment.budgets for name in experiment.factor_levels(budget)}
    factors = [name for name in runs.columns if name in names]
    places = [
        (experiment.point_order({name: row[name] for name in factors if not pd.isna(row[name])}), row["seed"])
        for row in runs.to_dict("records")
    ]
    runs = runs.iloc[sorted(range(len(places)), key=places.__getitem__)]
    return Evidence(runs, tables.measurements[tables.measurements["run"].isin(runs["run"])])
