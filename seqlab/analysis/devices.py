"""What becomes of a verdict where the store has runs of the same trials by other devices?

It rests on the runs of one device, as ever. For a claim about quality it then says whether the devices agree
(`agreement`). Where they do not, a decided verdict is no longer that of one device: each is judged alone, and
they count as parts of one sentence (`combined_outcome`). So such a claim is supported only if every device
supports it by itself, and holds with conditions where it holds on one and fails on another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from seqlab.analysis.agreement import agreement
from seqlab.analysis.cells import measure_cells
from seqlab.analysis.combined import combined_outcome
from seqlab.analysis.evidence import Evidence
from seqlab.analysis.origin import Reference, with_seeds_of
from seqlab.analysis.scope import format_number
from seqlab.analysis.verdicts import judge
from seqlab.notebook.claims import DECIDED, Agreement, Claim, Outcome, Verdict
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.metrics import metric_named


def judge_among(
    experiment: Experiment,
    evidence: Evidence,
    planned: Sequence[Trial],
    reference: Reference | None = None,
    others: Mapping[str, Evidence] | None = None,
) -> tuple[Verdict, ...]:
    """The verdicts of `verdicts.judge`; with `others`, the runs of other devices by their names, as above."""
    found = judge(experiment, evidence, planned, reference)
    if not others or not evidence.good_runs:
        return found
    own = evidence.good_runs[0].device
    devices = {own: (evidence, planned)} | {
        name: (other, with_seeds_of(other, planned)) for name, other in others.items()
    }
    told = [
        _agreement(claim, verdict, experiment, devices)
        for claim, verdict in zip(experiment.claims, found, strict=True)
    ]
    alone: dict[str, tuple[Verdict, ...]] = {own: found}
    if any(one and not one.holds for one in told):
        alone |= {name: judge(experiment, *devices[name]) for name in others}
    return tuple(
        _with_agreement(
            verdict, one, {name: alone[name][place].outcome for name in one.effects if name in alone}
        )
        if one
        else verdict
        for place, (verdict, one) in enumerate(zip(found, told, strict=True))
    )


def _agreement(
    claim: Claim,
    verdict: Verdict,
    experiment: Experiment,
    devices: Mapping[str, tuple[Evidence, Sequence[Trial]]],
) -> Agreement | None:
    """Of the verdict's device with the others; None for what depends on the machine, or on the reference."""
    if verdict.origin or metric_named(claim.rule.metric).of_machine:
        return None
    effects = {
        name: measure_cells(claim.rule, experiment, evidence, planned)
        for name, (evidence, planned) in devices.items()
    }
    return agreement(claim.rule, effects)


def _with_agreement(verdict: Verdict, found: Agreement, alone: Mapping[str, Outcome]) -> Verdict:
    verdict = replace(verdict, agreement=found, reason=f"{verdict.reason} {_sentence(found)}")
    if found.holds or verdict.outcome not in DECIDED:
        return verdict
    outcome = combined_outcome(list(alone.values()))
    each = "; ".join(f"{alone[name]} on {name}" for name in alone)
    boundary = each if outcome is Outcome.CONDITIONAL else verdict.boundary
    return replace(
        verdict, outcome=outcome, boundary=boundary, reason=f"{verdict.reason} By themselves: {each}."
    )


def _sentence(found: Agreement) -> str:
    effects = ", ".join(
        f"{format_number(effect)} on {name} ({found.seeds[name]} seeds)"
        for name, effect in found.effects.items()
    )
    cell = ", ".join(f"{name}={level}" for name, level in found.cell.items())
    where = f"; farthest apart at {cell}" if cell else ""
    verb = "agree" if found.holds else "disagree"
    p = f"{found.p_value:.2g}" if found.p_value >= 0.001 else f"{found.p_value:.1g}"
    return f"Devices {verb} (p = {p}, I² = {found.inconsistency:.0%}{where}): {effects}."
