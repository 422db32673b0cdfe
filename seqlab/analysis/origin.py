"""On which runs does a verdict rest: on those made here, or on the reference?

On runs made here if every planned cell has at least the rule's seeds. Else on the reference, if that has them
and the metric does not depend on the machine. Else on runs made here, however few. Never on both: seeds of
two machines are not mixed in one interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from seqlab.analysis.cells import Effects, measure_cells
from seqlab.analysis.evidence import Evidence, Run
from seqlab.analysis.replication import replication
from seqlab.notebook.claims import Origin, Rule
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Level
from seqlab.notebook.metrics import metric_named
from seqlab.store.database import Store

MOST_NAMED = 2  # texts on what changed


@dataclass(frozen=True)
class Reference:
    """A page's runs in the reference, all of one machine, and where their artifacts are.

    `changed` has what a run used that changed since, by the run's number; nothing for an unchanged one.
    """

    evidence: Evidence
    store: Store
    changed: Mapping[int, str]

    def told(self, runs: Sequence[Run], *, seeds: int, here: int = 0) -> Origin:
        """What is to be told of these runs of it."""
        numbers = {run.run for run in runs}
        dates = self.evidence.runs.loc[self.evidence.runs["run"].isin(numbers), "started"]
        changed = list(dict.fromkeys(filter(None, (self.changed.get(run.run, "") for run in runs))))
        more = f" and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
        return Origin(
            seeds=seeds,
            device=runs[0].device if runs else "",
            date=max(dates, default="")[:10],
            changed="; ".join(changed[:MOST_NAMED]) + more,
            here=here,
        )


@dataclass(frozen=True)
class Chosen:
    """The evidence on which a claim is judged, and its effects; `origin` is None for runs made here."""

    evidence: Evidence
    effects: tuple[Effects, ...]
    origin: Origin | None = None


def choose(
    rule: Rule,
    experiment: Experiment,
    evidence: Evidence,
    planned: Sequence[Trial],
    reference: Reference | None,
) -> Chosen:
    """The evidence for the rule: `evidence` has the runs made here."""
    own = Chosen(evidence, measure_cells(rule, experiment, evidence, planned))
    if reference is None or metric_named(rule.metric).of_machine or _enough(rule, own.effects):
        return own
    there = measure_cells(rule, experiment, reference.evidence, with_seeds_of(reference.evidence, planned))
    if not _enough(rule, there):
        return own
    runs = [run for run in reference.evidence.good_runs if rule.asks_for(run.factors)]
    here = sum(rule.asks_for(run.factors) for run in evidence.good_runs)
    told = reference.told(runs, seeds=min(map(_seeds, there)), here=here)
    if here:
        again = replication(rule, reference.evidence, evidence, cells=[one.levels for one in there])
        told = replace(told, replicates=str(again.outcome), figures=again.reason)
    return Chosen(reference.evidence, there, told)


def with_seeds_of(evidence: Evidence, planned: Sequence[Trial]) -> list[Trial]:
    """The planned trials with the seeds that the evidence has of their points; with their own for none."""
    seeds: dict[frozenset[tuple[str, Level]], dict[int, None]] = {}
    for run in evidence.all_runs:
        seeds.setdefault(run.key[0], {})[run.seed] = None
    first: dict[frozenset[tuple[str, Level]], Trial] = {}
    for trial in planned:
        first.setdefault(frozenset(trial.factors.items()), trial)
    return [
        *(replace(trial, seed=seed) for point, trial in first.items() for seed in seeds.get(point, ())),
        *(trial for trial in planned if frozenset(trial.factors.items()) not in seeds),
    ]


def _enough(rule: Rule, effects: Sequence[Effects]) -> bool:
    """Whether every cell was measured, with the seeds that the rule asks for."""
    return bool(effects) and all(not one.missing and _seeds(one) >= rule.seeds for one in effects)


def _seeds(effects: Effects) -> int:
    return max(effects.available, len(effects.seeds))
