"""What was found on each page? The runs that count, from the store, and the verdicts on its claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pandas as pd

from seqlab.analysis.devices import judge_among
from seqlab.analysis.evidence import Evidence
from seqlab.analysis.origin import Reference
from seqlab.analysis.smoke import smoke_result
from seqlab.errors import in_a_line
from seqlab.notebook.claims import Origin, Verdict
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Figure, Where, matches
from seqlab.notebook.metrics import METRICS
from seqlab.store.database import Store
from seqlab.store.tables import Tables, load


class Shown(NamedTuple):
    """What a figure shows: runs made here (`origin` None) or those of the reference, in that store."""

    evidence: Evidence
    store: Store | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class ReferenceRuns:
    """The runs of one page in the reference that count: their numbers, and what changed since each."""

    numbers: Sequence[int]
    changed: Mapping[int, str]


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
    smoke: str = ""  # whether the page works, in a line, where the smoke budget was asked for: no verdicts
    planned: Sequence[Trial] = ()
    reference: Reference | None = None

    def shown(self, where: Where, metrics: Sequence[str] = ()) -> Shown:
        """The runs that a figure of these metrics shows: of the reference if too few were made here."""
        own = Shown(self.evidence)
        if self.reference is None or any(METRICS[name].of_machine for name in metrics if name in METRICS):
            return own
        there = [run for run in self.reference.evidence.good_runs if matches(run.factors, where)]
        ran = {run.key for run in self.evidence.all_runs}
        planned = [trial for trial in self.planned if matches(trial.factors, where)]
        if not there or all((frozenset(trial.factors.items()), trial.seed) in ran for trial in planned):
            return own
        seeds = len({run.seed for run in there})
        told = self.reference.told(there, seeds=seeds)
        return Shown(self.reference.evidence, self.reference.store, told)


def analyse_pages(
    pages: Sequence[tuple[Experiment, Sequence[Trial]]],
    numbers: Mapping[str, Sequence[int]],
    store: Store,
    *,
    smoke: bool = False,
    reference: Store | None = None,
    referred: Mapping[str, ReferenceRuns] | None = None,
    unjudged: dict[str, str] | None = None,
    others: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
) -> list[PageFindings]:
    """Load the runs with these numbers and judge every claim of each page.

    `numbers` holds, for each page by name, the numbers of its runs that count, and `referred` those of its
    runs in the store of the `reference`; `others` has those of other devices, by their names. Raises
    `UsageError` for a rule that cannot be judged as it is written; for `smoke` that is all that judging is
    for. With `unjudged`, a page that cannot be judged is left out and the reason put there, so that it costs
    no other page its verdicts.
    """
    tables = load(store, runs=[number for chosen in numbers.values() for number in chosen])
    references = of_reference(pages, reference, referred or {})
    found = []
    for experiment, planned in pages:
        others_runs = (others or {}).get(experiment.name, {})
        try:
            beside = {
                device: _evidence(load(store, runs=list(runs)), experiment)
                for device, runs in others_runs.items()
            }
            found.append(
                _page(experiment, planned, tables, references.get(experiment.name), beside, smoke=smoke)
            )
        except Exception as error:
            if unjudged is None:
                raise
            unjudged[experiment.name] = f"its runs cannot be judged: {in_a_line(error)}"
    return found


def _page(
    experiment: Experiment,
    planned: Sequence[Trial],
    tables: Tables,
    beside: Reference | None,
    others: Mapping[str, Evidence],
    *,
    smoke: bool,
) -> PageFindings:
    """One page with its runs and verdicts."""
    evidence = _evidence(tables, experiment)
    # Trials run in a shuffled order; what is shown has the order of the grid.
    ordered = sorted(planned, key=lambda trial: (experiment.point_order(trial.factors), trial.seed))
    settings = dict(planned[0].settings) if planned else {}
    shown = tuple(figure for figure in experiment.figures if _planned(figure, planned))
    verdicts = judge_among(experiment, evidence, ordered, beside, others)
    page = PageFindings(
        replace(experiment, figures=shown), evidence, verdicts, settings, planned=tuple(planned),
        reference=beside,
    )  # fmt: skip
    return replace(page, verdicts=(), smoke=smoke_result(evidence, planned)) if smoke else page


def of_reference(
    pages: Sequence[tuple[Experiment, Sequence[Trial]]],
    store: Store | None,
    referred: Mapping[str, ReferenceRuns],
) -> dict[str, Reference]:
    """What the reference holds of each page."""
    chosen = {page.name: referred[page.name] for page, _ in pages if page.name in referred}
    if store is None or not chosen:
        return {}
    tables = load(store, runs=[number for runs in chosen.values() for number in runs.numbers])
    return {
        page.name: Reference(_evidence(tables, page), store, chosen[page.name].changed)
        for page, _ in pages
        if page.name in chosen
    }


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
