"""Do trials run side by side where a page allows it, and only there?"""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from seqlab.errors import UsageError
from seqlab.machine.settings import Settings
from seqlab.notebook.discover import load
from seqlab.notebook.experiment import Budget, Experiment, Trial, grid
from seqlab.notebook.metrics import Measurement
from seqlab.running.execute import execute
from seqlab.running.fingerprint import Fingerprints
from seqlab.running.plan import DueTrial, Plan, Request, trials
from seqlab.store.database import Store

# A trial of `meeting` ends well only if trials of both models are there at the same time; one of `timed`
# only if no other trial is.
PAGE = '''
"""Who else is there?"""

import os, time
from pathlib import Path

from seqlab.machine import device
from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.metrics import Measurement

THERE = Path(__file__).parent / "there"


def run(trial):
    mine = THERE / trial["model"]
    mine.touch()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and len(list(THERE.iterdir())) < 2:
        time.sleep(0.01)
    met = len(list(THERE.iterdir())) == 2
    yield Measurement("success", float(met))
    yield Measurement("train_steps", os.getpid())
    yield Measurement("parameters", device.settings().blas_threads or 0)
    if not LASTING:
        mine.unlink()


experiment = Experiment(
    run=run, budgets=(Budget("smoke", grid(model=("LSTM", "Transformer"), seeds=2)),),
    parallel_over=PARALLEL_OVER, exclusive=EXCLUSIVE,
)
'''


class Pages:
    """Pages of the kind above, and the runs of all of them together."""

    def __init__(self, root: Path) -> None:
        self.root, self.pages = root, list[Path]()
        (root / "there").mkdir()

    def add(
        self,
        name: str,
        *,
        parallel_over: tuple[str, ...],
        patience: float,
        lasting: bool,
        exclusive: Mapping[str, str] | None = None,
    ) -> None:
        page = self.root / f"{name}.py"
        text = PAGE.replace("PATIENCE", str(patience)).replace("LASTING", str(lasting))
        text = text.replace("PARALLEL_OVER", repr(parallel_over)).replace("EXCLUSIVE", repr(exclusive or {}))
        page.write_text(text.lstrip())
        self.pages.append(page)

    def run(self, *, jobs: int) -> list[tuple[str, str, int, dict[str, float]]]:
        """(page, model, seed, measurements) in the order in which the trials ended."""
        plans = []
        for page in self.pages:
            experiment = load(page)
            planned = trials(experiment, Request("smoke"))
            due = tuple(DueTrial(trial, "asked") for trial in planned)
            plans.append(Plan(experiment, page, Fingerprints().of(page), planned, due))
        with Store(self.root / "seqlab.db") as store:
            failed = execute(
                plans, store, device=("cpu", "cpu (any)", "0"), memory_limit=1 << 40, jobs=jobs,
                settings=Settings(blas_threads=2), checkpoints=self.root / "kept",
                provenance=lambda: {"BLAS threads": 2},
            )  # fmt: skip
        assert not failed
        with sqlite3.connect(self.root / "seqlab.db") as connection:
            runs = connection.execute(
                "SELECT id, experiment, json_extract(factors, '$.model'), seed FROM run ORDER BY id"
            ).fetchall()
            return [
                (
                    page,
                    model,
                    seed,
                    dict(
                        connection.execute(
                            "SELECT text, value FROM measurement JOIN name ON metric = name.id WHERE run = ?",
                            (number,),
                        )
                    ),
                )
                for number, page, model, seed in runs
            ]


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


def test_models_run_at_the_same_time_and_the_seeds_of_one_in_one_process(pages: Pages) -> None:
    pages.add("meeting", parallel_over=("model",), patience=60, lasting=True)
    found = pages.run(jobs=2)
    assert [values["success"] for *_, values in found] == [1.0] * 4  # each met the other
    processes = {
        model: {values["train_steps"] for _, other, _, values in found if other == model}
        for model in ("LSTM", "Transformer")
    }
    assert all(len(ones) == 1 for ones in processes.values())
    assert processes["LSTM"] != processes["Transformer"]
    assert [seed for _, model, seed, _ in found if model == "LSTM"] == [0, 1]


def test_a_page_that_measures_time_has_the_machine_to_itself(pages: Pages) -> None:
    pages.add("meeting", parallel_over=("model",), patience=60, lasting=True)
    pages.add("timed", parallel_over=(), patience=0.2, lasting=False)
    found = pages.run(jobs=2)
    assert [page for page, *_ in found[:4]] == ["timed"] * 4  # first, though asked for last
    assert {values["success"] for page, *_, values in found if page == "timed"} == {0.0}
    assert {values["parameters"] for page, *_, values in found if page == "timed"} == {2.0}  # its threads


def test_the_trials_of_a_page_that_measure_time_can_be_told_from_the_others(pages: Pages) -> None:
    pages.add("meeting", parallel_over=("model",), exclusive={"model": "LSTM"}, patience=0.2, lasting=False)
    found = pages.run(jobs=2)
    assert [model for _, model, *_ in found] == ["LSTM", "LSTM", "Transformer", "Transformer"]
    assert {values["success"] for *_, values in found} == {0.0}


def test_one_job_runs_one_trial_at_a_time(pages: Pages) -> None:
    pages.add("meeting", parallel_over=("model",), patience=0.2, lasting=False)
    assert {values["success"] for *_, values in pages.run(jobs=1)} == {0.0}


def test_provenance_says_how_many_trials_ran_at_once(pages: Pages) -> None:
    pages.add("meeting", parallel_over=("model",), patience=60, lasting=True)
    pages.run(jobs=2)
    with Store(pages.root / "seqlab.db") as store:
        (about,) = store.provenance([record.id for record in store.records("meeting")])
    assert about["trials at once"] == 2
    assert about["BLAS threads"] >= 1


def test_trials_run_in_parallel_over_a_factor_that_the_page_has() -> None:
    def run(trial: Trial) -> Iterator[Measurement]:
        yield Measurement("loss", trial.seed)

    with pytest.raises(UsageError, match="factor to run trials in parallel over"):
        Experiment(run=run, budgets=(Budget("smoke", grid(model="LSTM")),), parallel_over=("modle",))
