"""Does a verdict rest on own runs where there are enough, else on the reference, and never on both?"""

from collections.abc import Iterable, Mapping

import pandas as pd
import pytest

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.origin import Reference
from seqlab.analysis.replication import Replicates
from seqlab.analysis.verdicts import judge
from seqlab.document.origins import from_reference, replicated
from seqlab.notebook.claims import Claim, Difference, Outcome, Ratio, Rule, Verdict
from seqlab.notebook.experiment import Budget, Experiment, Trial, grid

MODELS = ("Transformer", "LSTM")
PLANNED = [Trial("page", {"model": model}, seed, "quick", {}) for model in MODELS for seed in range(5)]
SIDES = {"left": {"model": "Transformer"}, "right": {"model": "LSTM"}, "matched": ()}
ACCURACY = Difference(metric="accuracy", split="test", above=0.1, **SIDES)  # type: ignore[arg-type]
TIME = Ratio(metric="step_time", above=1.1, **SIDES)  # type: ignore[arg-type]


def evidence(
    seeds: Mapping[str, Iterable[int]], lift: float, *, status: str = "ok", device: str = "cpu (here)"
) -> Evidence:
    runs = [(model, seed) for model, own in seeds.items() for seed in own]
    table = pd.DataFrame(
        {
            "run": range(len(runs)),
            "experiment": "page",
            "seed": [seed for _, seed in runs],
            "status": status,
            "device": device,
            "started": "2026-12-12T00:00:00",
            "model": [model for model, _ in runs],
        }
    )
    values = pd.DataFrame(
        [
            (run, metric, 0.5 + 0.01 * (seed % 3) + (lift if model == "Transformer" else 0.0), split, None)
            for run, (model, seed) in enumerate(runs)
            for metric, split in (("accuracy", "test"), ("step_time", ""))
        ],
        columns=["run", "metric", "value", "split", "step"],
    )
    return Evidence(table, values)


def both(count: int) -> dict[str, Iterable[int]]:
    return dict.fromkeys(MODELS, range(count))


def the_verdict(own: Evidence, there: Evidence | None, rule: Rule = ACCURACY, **changed: str) -> Verdict:
    page = Experiment(
        name="page",
        run=lambda _: iter(()),
        budgets=(Budget("quick", grid(model=MODELS, seeds=5)),),
        claims=(Claim("C38", rule, "It is better."),),
    )
    changes = {int(run.removeprefix("run")): text for run, text in changed.items()}
    reference = None if there is None else Reference(there, None, changes)  # type: ignore[arg-type]
    (verdict,) = judge(page, own, PLANNED, reference)
    return verdict


def test_own_runs_with_enough_seeds_take_the_place_of_the_reference() -> None:
    verdict = the_verdict(evidence(both(5), 0.3), evidence(both(10), 0.0))
    assert verdict.outcome is Outcome.SUPPORTED
    assert verdict.origin is None
    assert verdict.n == 5


@pytest.mark.parametrize("own", [both(0), both(4), {"Transformer": range(9), "LSTM": range(2)}])
def test_the_reference_speaks_where_too_few_ran_here(own: dict[str, Iterable[int]]) -> None:
    verdict = the_verdict(evidence(own, -0.3), evidence(both(5), 0.3, device="gpu (NVIDIA H200)"))
    assert verdict.outcome is Outcome.SUPPORTED
    assert verdict.effect == pytest.approx(0.3)  # of the reference alone: no seed is mixed in
    assert verdict.n == 5
    assert verdict.origin is not None
    assert (verdict.origin.seeds, verdict.origin.device) == (5, "gpu (NVIDIA H200)")
    assert (verdict.origin.date, verdict.origin.changed) == ("2026-12-12", "")
    assert verdict.origin.here == sum(len(list(seeds)) for seeds in own.values())
    assert verdict.scope.endswith("gpu (NVIDIA H200)")


def test_a_failed_run_here_is_not_enough() -> None:
    own = evidence(both(5), 0.3, status="diverged")
    verdict = the_verdict(own, evidence(both(5), 0.3))
    assert verdict.origin is not None
    assert verdict.origin.here == 0
    assert the_verdict(own, None).outcome is Outcome.NOT_TESTED


def test_what_depends_on_the_machine_never_rests_on_the_reference() -> None:
    verdict = the_verdict(evidence(both(0), 0.0), evidence(both(10), 3.0), TIME)
    assert verdict.origin is None
    assert verdict.outcome is Outcome.NOT_TESTED
    few = the_verdict(evidence(both(3), 3.0), evidence(both(10), 3.0), TIME)
    assert few.origin is None
    assert few.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("there", [both(4), {"Transformer": range(9)}, None])
def test_a_reference_without_enough_seeds_is_not_used(there: dict[str, Iterable[int]] | None) -> None:
    verdict = the_verdict(evidence(both(3), 0.3), None if there is None else evidence(there, 0.3))
    assert verdict.origin is None
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "Too few seeds: 3" in verdict.reason


def test_more_seeds_than_are_planned_count_and_fewer_are_not_called_missing() -> None:
    verdict = the_verdict(evidence(both(0), 0.0), evidence(both(10), 0.3))
    assert verdict.n == 10
    six = {model: range(100, 106) for model in MODELS}  # none of the planned seeds
    assert "gave no result" not in the_verdict(evidence(both(0), 0.0), evidence(six, 0.3)).reason


def test_what_changed_since_is_told_of_the_runs_that_the_rule_compares() -> None:
    there = evidence({**both(5), "GRU": range(5)}, 0.3)
    own = evidence(both(0), 0.0)
    verdict = the_verdict(own, there, run0="seqlab/models/lstm.py changed", run12="x changed")
    assert verdict.origin is not None
    assert verdict.origin.changed == "seqlab/models/lstm.py changed"
    many = the_verdict(own, there, run0="a changed", run1="b changed", run2="c changed", run3="b changed")
    assert many.origin is not None
    assert many.origin.changed == "a changed; b changed and 1 more"


@pytest.mark.parametrize(
    ("lift", "said"),
    [(0.5, Replicates.YES), (0.2, Replicates.NO)],
    ids=["the same", "worse"],
)
def test_trials_run_here_tell_whether_the_reference_holds_here(lift: float, said: str) -> None:
    """Two seeds of the Transformer, where the reference has five: enough to tell a loss of 0.3."""
    own = evidence({"Transformer": range(5, 7)}, lift)
    found = the_verdict(own, evidence(both(5), 0.5, device="cpu (there)"))
    assert found.outcome is Outcome.SUPPORTED  # it says what was measured there
    assert found.origin is not None
    assert found.origin.here == 2
    assert found.origin.replicates == said
    told = replicated(found.origin)
    if said == Replicates.NO:
        assert told.startswith("Does not replicate here: 2 of 2 trials of Transformer lie outside")
        assert from_reference(found.origin).endswith("here: 2 trials")
    else:
        assert told == ""
        assert from_reference(found.origin).endswith("here: 2 trials, as expected")


def test_without_trials_here_nothing_is_said_of_replication() -> None:
    found = the_verdict(evidence({}, 0.5), evidence(both(5), 0.5, device="cpu (there)"))
    assert found.origin is not None
    assert found.origin.replicates == ""
    assert replicated(found.origin) == ""
