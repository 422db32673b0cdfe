"""What do the measurements say of each claim, by the rule that was fixed before measuring?

These outcomes are tried in this order, and the first that applies is the verdict:

1. *Not tested*: a planned cell is missing. Missing evidence never supports a claim.
2. *Inconclusive*: the comparison is not fair, or some cell has fewer seeds than the rule asks for. A cell
   whose networks were still learning is open, whatever it shows (`finished`); where too few others are left
   for one of the outcomes below, the verdict is inconclusive as *unfinished*.
3. *No relevant difference*: in at least 80 % of the cells the interval lies within the rule's margin of no
   difference, and they do not pass.
4. *With conditions*: some cells pass and others fail, and a boundary along one factor separates them. However
   few lie on one side: else the choice of levels would decide whether a boundary is seen.
5. *Supported*: at least 80 % of the cells pass, or all of them where the rule is exact, since a law of
   arithmetic has no exceptions. *Not supported*: at least 80 % fail.
6. *Inconclusive* otherwise.

The effect of a verdict, and its interval, are those of one cell: the middle one of the cells that made the
outcome. An average over cells may be an effect that none of them has, and would need an interval of its own,
since cells share seeds.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from seqlab.analysis.boundary import boundary
from seqlab.analysis.cells import Effects
from seqlab.analysis.combined import deciding, middle
from seqlab.analysis.decisions import ALPHA, decide, threshold_of
from seqlab.analysis.evidence import Evidence
from seqlab.analysis.fairness import explain, worst
from seqlab.analysis.finished import Finished, finished, worst_record
from seqlab.analysis.origin import Reference, choose
from seqlab.analysis.power import likely_look
from seqlab.analysis.scope import format_number, scope
from seqlab.notebook.claims import Cell, Claim, Exact, Origin, Outcome, Ratio, Rule, Verdict
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Level

DECISIVE_SHARE = 0.8  # of the cells: that many passing or failing ones settle a claim
MOST_NAMED = 3  # missing cells that a reason names


def judge(
    experiment: Experiment,
    evidence: Evidence,
    planned: Sequence[Trial],
    reference: Reference | None = None,
) -> tuple[Verdict, ...]:
    """One verdict for each claim of the page, in the page's order.

    `planned` holds the trials that the page asks for: a cell of theirs without good runs makes the claim not
    tested. A claim may rest on the `reference` instead (`analysis.origin`). Raises `UsageError` for a rule
    that cannot be judged as it is written.
    """
    rules = [claim.rule for claim in experiment.claims]
    chosen = [choose(rule, experiment, evidence, planned, reference) for rule in rules]
    effects = [one.effects for one in chosen]
    cells = decide(rules, effects)
    comparisons = sum(not effect.exact for found in effects for effect in found)
    return tuple(
        _verdict(
            claim,
            experiment.name,
            one.effects,
            judged,
            evidence=one.evidence,
            comparisons=comparisons,
            origin=one.origin,
        )
        for claim, one, judged in zip(experiment.claims, chosen, cells, strict=True)
    )


def _verdict(
    claim: Claim,
    experiment: str,
    effects: Sequence[Effects],
    cells: Sequence[Cell],
    *,
    evidence: Evidence,
    comparisons: int,
    origin: Origin | None,
) -> Verdict:
    rule = claim.rule
    trained = [finished(rule, effect, cell) for effect, cell in zip(effects, cells, strict=True)]
    cells = [one.cell for one in trained]
    matched = worst(effect.fairness for effect in effects)
    unfair = explain(matched)
    outcome, reason, where = _outcome(rule, effects, cells, unfair, comparisons)
    if outcome is Outcome.INCONCLUSIVE and not unfair:
        reason = _unfinished(effects, trained) or reason
    records = (*matched, *worst_record(trained))
    open_still = outcome is Outcome.INCONCLUSIVE and all(record.ok for record in records)
    verdict = Verdict(
        claim=claim.id,
        experiment=experiment,
        outcome=outcome,
        rule=rule,
        statement=claim.statement,
        reason=". ".join([reason, *_notes(effects, cells)]) + ".",
        cells=tuple(cells),
        n=min((cell.n for cell in cells), default=0),
        scope=scope(rule, evidence, [effect.levels for effect in effects]),
        boundary=where,
        seeds_needed=_seeds_needed(rule, effects, cells, comparisons) if open_still else None,
        fairness=records,
        origin=origin,
        predicted=claim.predicted,
    )
    cell = middle(deciding(verdict), rule) or middle(cells, rule)
    if cell is None:
        return verdict
    bounds = (cell.low, cell.high) if np.isfinite([cell.low, cell.high]).all() else (None, None)
    return replace(verdict, effect=cell.estimate, low=bounds[0], high=bounds[1])


def _outcome(
    rule: Rule, effects: Sequence[Effects], cells: Sequence[Cell], unfair: str, comparisons: int
) -> tuple[Outcome, str, str]:
    """The outcome, why, and the boundary where there is one."""
    if missing := _missing(effects):
        return Outcome.NOT_TESTED, missing, ""
    if unfair:
        return Outcome.INCONCLUSIVE, f"The comparison is not fair: {unfair}", ""
    fewest = min(cell.n for cell in cells)
    if fewest < rule.seeds:
        reason = f"Too few seeds: {fewest} in some cell, where the rule asks for {rule.seeds}"
        return Outcome.INCONCLUSIVE, reason, ""
    decisions = Counter(cell.decision for cell in cells)
    summary = _summary(rule, effects, cells, comparisons)
    if sum(cell.equivalent for cell in cells) >= DECISIVE_SHARE * len(cells):
        return Outcome.EQUIVALENT, _equal(rule, cells), ""
    if decisions["pass"] and decisions["fail"] and (where := boundary(rule, cells)):
        return Outcome.CONDITIONAL, summary, where
    if decisions["pass"] >= (1.0 if isinstance(rule, Exact) else DECISIVE_SHARE) * len(cells):
        return Outcome.SUPPORTED, summary, ""
    if decisions["fail"] >= DECISIVE_SHARE * len(cells):
        return Outcome.NOT_SUPPORTED, summary, ""
    return Outcome.INCONCLUSIVE, summary, ""


def _unfinished(effects: Sequence[Effects], trained: Sequence[Finished]) -> str:
    """Which cells are open because their networks were still learning; empty where none is."""
    found = [
        f"{_label(effect.levels)}{one.reason}"
        for effect, one in zip(effects, trained, strict=True)
        if one.reason
    ]
    if not found:
        return ""
    more = f"; and {len(found) - MOST_NAMED} more cells" if len(found) > MOST_NAMED else ""
    return f"Unfinished: {'; '.join(found[:MOST_NAMED])}{more}. Longer training would tell"


def _equal(rule: Rule, cells: Sequence[Cell]) -> str:
    within = f"within {format_number(rule.margin or 0.0)} of {1 if isinstance(rule, Ratio) else 0}"
    if len(cells) == 1:
        return f"The whole interval lies {within}"
    return f"{sum(cell.equivalent for cell in cells)} of {len(cells)} intervals lie {within}"


def _missing(effects: Sequence[Effects]) -> str:
    """Which planned cells could not be measured, and why; empty where all were."""
    if not effects:
        return "No trial was planned that this rule compares"
    missing = [f"{_label(effect.levels)}{effect.missing}" for effect in effects if effect.missing]
    if not missing:
        return ""
    more = f"; and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    count = f"{len(missing)} of {len(effects)} cells missing" if len(effects) > 1 else "Missing"
    return f"{count}: {'; '.join(missing[:MOST_NAMED])}{more}"


def _summary(rule: Rule, effects: Sequence[Effects], cells: Sequence[Cell], comparisons: int) -> str:
    """What the cells say, as one sentence without its full stop."""
    decisions = Counter(cell.decision for cell in cells)
    side = f"{'above' if rule.above is not None else 'below'} {format_number(rule.threshold)}"
    holm = f" (after Holm's correction for {comparisons} comparisons)" if comparisons > 1 else ""
    if len(effects) > 1:
        noun = "cells lie" if decisions["pass"] != 1 else "cells lies"
        other = f"{decisions['fail']} wholly on the other side"
        summary = f"{decisions['pass']} of {len(effects)} {noun} wholly {side}, {other}"
        if effects[0].exact:
            summary = f"In {decisions['pass']} of {len(effects)} cells every value lies {side}"
        return summary + (f", {decisions['open']} open{holm}" if decisions["open"] else "")
    if effects[0].exact:
        return f"{'Every' if decisions['pass'] else 'Not every'} value lies {side}"
    if cells[0].absent:
        return "The interval is decisive against the opponents that were planned, but the best may be another"
    if decisions["open"]:
        return f"The interval does not exclude {format_number(rule.threshold)}{holm}"
    return f"The whole interval lies {'' if decisions['pass'] else 'not '}{side}"


def _notes(effects: Sequence[Effects], cells: Sequence[Cell]) -> list[str]:
    notes = Counter(note for effect in effects for note in effect.notes)
    notes.update(
        f"against {', '.join(cell.unbeaten)} the interval does not clear the threshold"
        for cell in cells
        if cell.unbeaten
    )
    return [
        f"{note[0].upper()}{note[1:]}{f' ({times} cells)' if times > 1 else ''}"
        for note, times in notes.items()
    ]


def _seeds_needed(
    rule: Rule, effects: Sequence[Effects], cells: Sequence[Cell], comparisons: int
) -> int | None:
    """How many more seeds, up to a declared look, would likely decide every open cell.

    Computed at the strictest step of Holm's correction. None where more seeds would not help, or where the
    number cannot be estimated: a single seed, values without spread, an estimate too near the threshold.
    """
    more = [rule.seeds - effect.available for effect in effects]
    for effect, cell in zip(effects, cells, strict=True):
        if cell.decision != "open":
            continue
        if cell.absent:
            return None
        holm = ALPHA / (comparisons * max(effect.multiplicity))
        for one in (effect, *(rival for rival in effect.rivals if rival.opponent in cell.unbeaten)):
            if one.at_least or one.at_most:
                return None
            look = likely_look(one.values, threshold_of(rule, one), cells=len(cells), holm=holm)
            if look is None:
                return None
            more.append(look - one.available)
    return max(more) if max(more) > 0 else None


def _label(levels: Mapping[str, Level]) -> str:
    return f"{', '.join(f'{name}={level}' for name, level in levels.items())}: " if levels else ""
