"""What was found on each page? Its runs that count, from the store, and what they say of its claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.verdicts import judge
from seqlab.claims import Verdict
from seqlab.experiment import Experiment, Trial
from seqlab.store.database import Store
from seqlab.store.tables import Tables, load


@dataclass(frozen=True)
class Found:
    """One page with what was measured of it: the runs that count, and the verdicts."""

    experiment: Experiment
    evidence: Evidence
    verdicts: tuple[Verdict, ...]


def find(
    pages: Sequence[tuple[Experiment, Sequence[Trial]]], numbers: Mapping[str, Sequence[int]], store: Store
) -> list[Found]:
    """Load the runs with these numbers and judge every claim of each page.

    `numbers` holds, for each page by name, the numbers of its runs that count. Raises `UsageError` for
    a rule that cannot be judged as it is written.
    """
    tables = load(store.path, runs=[number for chosen in numbers.values() for number in chosen])
    found = []
    for experiment, planned in pages:
        evidence = _evidence(tables, experiment)
        found.append(Found(experiment, evidence, judge(experiment, evidence, planned)))
    return found


def _evidence(tables: Tables, experiment: Experiment) -> Evidence:
    runs = tables.runs[tables.runs["experiment"] == experiment.name]
    # Factors of other pages have no value here, and no column.
    runs = runs.dropna(axis="columns", how="all") if len(runs) else runs
    return Evidence(runs, tables.measurements[tables.measurements["run"].isin(runs["run"])])
