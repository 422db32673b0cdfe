"""Are the right trials due, for the right reason?"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from seqlab.errors import UsageError
from seqlab.notebook.experiment import Budget, BudgetName, Experiment, Trial, grid
from seqlab.notebook.metrics import Measurement
from seqlab.running.plan import Request, _levels_in, due_trials, runs_that_count, trials
from seqlab.store.database import Record, canonical_json

HERE = {"device": "cpu (test)", "mlx": "1.0"}


def run(trial: Trial) -> Iterator[Measurement]:
    yield Measurement("loss", 0.0)


PAGE = Experiment(
    name="page",
    run=run,
    budgets=(
        Budget("smoke", grid(part="exact", length=(8, 16)), {"steps": 5}),
        Budget(
            "quick",
            grid(part="exact", length=(8, 16)) + grid(part="train", model=("LSTM", "RNN"), seeds=3),
            {"steps": 50, "rate": 0.1, "warm": True},
        ),
    ),
)


def record(trial: Trial, number: int = 1, **changes: object) -> Record:
    made = Record(
        id=number, key=trial.key(**HERE), seed=trial.seed, budget=trial.budget,
        factors=canonical_json(trial.factors), settings=canonical_json(trial.settings), status="ok", error="",
        started="2026-01-01T00:00:00", fingerprint="code", seconds=1.0, **HERE,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_deterministic_point_runs_once_and_the_others_once_a_seed() -> None:
    planned = trials(PAGE, Request())
    assert sum(trial["part"] == "exact" for trial in planned) == 2
    assert sum(trial["part"] == "train" for trial in planned) == 6


def test_trials_run_in_blocks_of_one_seed() -> None:
    seeds = [trial.seed for trial in trials(PAGE, Request(seeds=4))]
    assert seeds == sorted(seeds)
    assert seeds[-1] == 3


def test_seeds_replaces_the_number_of_seeds_but_not_of_deterministic_points() -> None:
    planned = trials(PAGE, Request(seeds=7))
    assert sum(trial["part"] == "exact" for trial in planned) == 2
    assert sum(trial["part"] == "train" for trial in planned) == 14


def test_one_seed_alone() -> None:
    planned = trials(PAGE, Request(seed=9))
    assert {trial.seed for trial in planned if trial["part"] == "train"} == {9}


def test_a_page_without_the_budget_gives_its_next_smaller_one() -> None:
    assert {trial["steps"] for trial in trials(PAGE, Request(budget="full"))} == {50}


def test_set_part_chooses_points_and_relabels_none() -> None:
    planned = trials(PAGE, Request(changes={"part": "train"}))
    assert {trial["model"] for trial in planned} == {"LSTM", "RNN"}
    assert len(planned) == 6


def test_set_changes_a_setting_or_the_levels_of_a_factor() -> None:
    planned = trials(PAGE, Request(changes={"steps": "7", "length": "4,32", "model": "RNN", "warm": "false"}))
    assert {trial["steps"] for trial in planned} == {7}
    assert {trial["warm"] for trial in planned} == {False}
    assert {trial["length"] for trial in planned if "length" in trial.factors} == {4, 32}
    assert {trial["model"] for trial in planned if "model" in trial.factors} == {"RNN"}


PROTOCOL = Experiment(
    name="page",
    run=run,
    protocol={"steps": 50, "rate": 0.1},
    budgets=(
        Budget("smoke", grid(model="RNN"), {"steps": 5}),
        Budget("quick", grid(model="RNN", seeds=3)),
        Budget("full", grid(model=("RNN", "LSTM"), seeds=9)),
    ),
)


def test_the_protocol_is_every_budgets_and_smokes_toy_settings_are_laid_over_it() -> None:
    def settings(budget: BudgetName, **changes: str) -> list[str]:
        return [
            *{canonical_json(trial.settings) for trial in trials(PROTOCOL, Request(budget, changes=changes))}
        ]

    assert settings("smoke") == ['{"rate": 0.1, "steps": 5}']
    assert settings("quick") == settings("full") == ['{"rate": 0.1, "steps": 50}']
    assert settings("full", rate="0.5") == ['{"rate": 0.5, "steps": 50}']
    assert settings("smoke", steps="7") == ['{"rate": 0.1, "steps": 7}']


def test_a_trial_of_one_protocol_serves_every_budget() -> None:
    quick, full = (
        {trial.key(**HERE) for trial in trials(PROTOCOL, Request(name))} for name in ("quick", "full")
    )
    assert len(quick) == 3
    assert quick < full


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(seeds=0), "--seeds must be 1 or more, found 0"),
        (Request(changes={"steps": "1" * 3000}), "--set steps expects at most 2,000 letters, found 3,000"),
        (Request(seed=-1), "--seed must be 0 or more"),
        (Request(seed=2**64 - 1), "below 2"),
        (Request(changes={"stepz": "1"}), "Did you mean 'steps'"),
        (Request(changes={"steps": "many"}), "expects a whole number, found 'many'"),
        (Request(changes={"rate": "x"}), "expects a finite number"),
        (Request(changes={"rate": "nan"}), "expects a finite number"),
        (Request(changes={"warm": "maybe"}), "expects true or false"),
        (Request(changes={"model": "LSTN"}), "Did you mean 'LSTM'"),
        (Request(changes={"length": ","}), "needs a value"),
    ],
)
def test_a_wrong_request_is_one_clear_line(request_: Request, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        trials(PAGE, request_)


def test_why_a_trial_is_due() -> None:
    trial = trials(PAGE, Request())[0]

    def why(*records: Record) -> str:
        found = due_trials([trial], records, fingerprint="code", **HERE)
        return found[0].reason if found else ""

    assert why() == "never run"
    assert why(record(trial)) == ""
    assert why(record(trial, fingerprint="older")) == "the code changed since its run of 2026-01-01"
    assert why(record(trial, status="failed")) == "its last run failed"
    assert why(record(trial, status="failed"), record(trial, 2)) == ""
    assert "another device" in why(record(trial, key="k", device="gpu (other)"))
    assert "MLX 0.9" in why(record(trial, key="k", mlx="0.9"))
    assert why(record(trial, key="k", settings="{}")) == "its settings changed"
    assert due_trials([trial], [record(trial)], fingerprint="code", force=True, **HERE)[0].reason == "forced"


def test_the_key_ignores_the_budgets_name_but_no_setting() -> None:
    trial = trials(PAGE, Request())[0]
    assert trial.key(**HERE) == replace(trial, budget="full").key(**HERE)
    assert trial.key(**HERE) != replace(trial, settings={"steps": 51}).key(**HERE)
    assert trial.key(**HERE) != trial.key(device="gpu", mlx="1.0")


def test_what_counts_as_evidence() -> None:
    first, second = (trial for trial in trials(PAGE, Request()) if trial["part"] == "exact")
    extra = replace(first, seed=99)
    changed = replace(first, settings={"steps": 1})
    records = [
        record(first, 1),
        record(first, 2, status="failed"),  # a later failure does not hide a good run
        record(second, 3, status="failed"),
        record(second, 4, status="timed out"),  # the latest failure tells of a trial without a good run
        record(extra, 5, budget="full"),  # one more seed with the same settings, whoever asked for it
        record(changed, 6),  # other settings answer another question
        record(replace(first, seed=96), 9, status="failed"),  # a failure that nobody asks for any more
        record(replace(first, factors={"part": "dropped", "length": 8}), 10),  # a level that the page dropped
        record(replace(first, factors={"part": "exact", "length": 512}), 11),  # one more number on an axis
        record(replace(first, seed=98), 7, fingerprint="older"),
        record(replace(first, seed=97), 8, device="gpu (other)"),
    ]
    assert runs_that_count([first, second], records, fingerprint="code", **HERE) == [1, 4, 5, 11]


def test_a_level_with_a_comma_is_one_level() -> None:
    known = {"ViT", "ViT, convolutional stem", "CNN"}
    assert _levels_in("ViT, convolutional stem", known) == ["ViT, convolutional stem"]
    assert _levels_in("CNN,ViT,  convolutional stem,ViT", known) == ["CNN", "ViT, convolutional stem", "ViT"]
    assert _levels_in("4,32,", {"4"}) == ["4", "32"]
