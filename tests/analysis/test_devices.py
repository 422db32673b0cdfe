"""Does a verdict say whether devices agree, and is a claim on which they disagree not simply supported?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from seqlab.__main__ import main
from seqlab.analysis.agreement import inconsistency, p_value
from seqlab.analysis.devices import judge_among
from seqlab.analysis.evidence import Evidence
from seqlab.analysis.verdicts import judge
from seqlab.notebook.claims import Difference, Outcome, Rule, Verdict
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.store.database import Run, Store
from tests.analysis.planted import FAIR, Done, evidence, planted_page, trials
from tests.project import CALM, make

RULE = Difference(
    metric="accuracy", split="test", left={"model": "A"}, right={"model": "B"}, above=0.1, finished=False
)


def runs(effect: float, seeds: Sequence[int] = range(5), spread: float = 0.01) -> list[Done]:
    """Model A is better than B by the effect, with some scatter."""
    noise = np.random.default_rng(len(seeds)).normal(0, spread, len(seeds))
    return [
        Done({"model": model}, seed, {"accuracy@test": 0.5 + better, **FAIR})
        for seed, luck in zip(seeds, noise, strict=True)
        for model, better in (("A", effect + luck), ("B", 0.0))
    ]


def of_device(name: str, done: Sequence[Done]) -> Evidence:
    found = evidence(done)
    return replace(found, runs=found.runs.assign(device=name))


def among(own: Sequence[Done], rule: Rule = RULE, **others: Sequence[Done]) -> tuple[Verdict, Verdict]:
    """The verdict beside these other devices, and that of this device alone."""
    page, planned = planted_page(rule, points=own), trials(own)
    here = of_device("here", own)
    there: Mapping[str, Evidence] = {name: of_device(name, done) for name, done in others.items()}
    return judge_among(page, here, planned, others=there)[0], judge(page, here, planned)[0]


def test_without_other_devices_nothing_changes() -> None:
    found, alone = among(runs(0.3))
    assert found == alone


def test_devices_that_agree_change_no_outcome_and_are_named() -> None:
    found, alone = among(runs(0.3), there=runs(0.3, range(10, 17)))
    assert (found.outcome, found.n, found.effect) == (Outcome.SUPPORTED, alone.n, alone.effect)
    assert found.agreement
    assert found.agreement.holds
    assert "Devices agree (p = " in found.reason
    assert "on here (5 seeds)" in found.reason
    assert "on there (5 seeds)" in found.reason  # of seven the first five count
    assert found.reason.startswith(alone.reason)


@pytest.mark.parametrize(
    ("there", "outcome"),
    [
        (0.6, Outcome.SUPPORTED),  # another size, and yet true on each
        (0.0, Outcome.CONDITIONAL),
        (0.1, Outcome.INCONCLUSIVE),
    ],
)
def test_where_devices_disagree_each_must_support_the_claim_by_itself(there: float, outcome: Outcome) -> None:
    found, alone = among(runs(0.3), there=runs(there))
    assert alone.outcome is Outcome.SUPPORTED
    assert found.outcome is outcome
    assert "Devices disagree (p = 0.00" in found.reason
    assert "By themselves: supported on here; " in found.reason
    assert ("on there" in found.boundary) == (outcome is Outcome.CONDITIONAL)


def test_no_device_helps_another_one_to_a_verdict() -> None:
    found, alone = among(runs(0.3, range(3)), there=runs(0.3))
    assert found == alone
    assert found.outcome is Outcome.INCONCLUSIVE


def test_what_depends_on_the_machine_is_not_compared() -> None:
    timed = replace(RULE, metric="step_time", split="")
    slow = [replace(run, measured={"step_time": 1.0 + run.seed, **FAIR}) for run in runs(0.3)]
    found, alone = among(slow, timed, there=runs(0.3))
    assert found == alone


def test_equal_devices_are_told_apart_in_one_of_twenty_at_most() -> None:
    random = np.random.default_rng(3)
    found = [p_value(list(random.lognormal(size=(3, 5)))) for _ in range(60)]
    assert sum(p < 0.05 for p in found) <= 7  # by chance 8 or more once in 100
    assert p_value([np.ones(5), np.ones(5)]) == 1.0
    assert p_value([np.zeros(5), np.ones(5)]) < 0.02
    assert inconsistency([np.arange(5.0), np.arange(5.0)]) == 0.0
    assert inconsistency([np.arange(5.0), 100 + np.arange(5.0)]) > 0.99


def test_runs_of_another_device_in_the_store_reach_the_verdict_and_the_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path, calm=CALM)
    arguments = ["run", "calm", "--root", str(root)]
    assert main(arguments) == 0
    assert "C38: supported" in capsys.readouterr().out
    with Store(root / "results" / "seqlab.db") as store:
        own = store.rows("SELECT factors, seed, settings, device, mlx, fingerprint FROM run")
        for factors, seed, settings, _, mlx, fingerprint in own:
            trial = Trial("calm", json.loads(factors), seed, "quick", json.loads(settings))
            score = (Measurement("accuracy", 0.2 + 0.01 * (seed % 3), "test"),)
            store.add(Run(trial, "ok", 1.0, datetime.now(UTC), "gpu (there)", mlx, fingerprint, {}, score))
    assert main(arguments) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "C38: with conditions" in told
    assert "Devices disagree (p = 0.0" in told
    assert f"0.5 on {own[0][3]} (5 seeds)" in told
    assert "0 on gpu (there) (5 seeds)" in told
    assert "not supported on gpu (there)" in told
    with Store(root / "results" / "seqlab.db") as store:
        assert [one.device for one in store.verdicts()] == [own[0][3]] * 2
