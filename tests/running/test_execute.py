"""Does a trial that was killed in its training go on where it was, when the command is given again?"""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from seqlab.machine.settings import Settings
from seqlab.notebook.discover import load
from seqlab.notebook.experiment import Trial
from seqlab.running.execute import execute
from seqlab.running.fingerprint import Fingerprints
from seqlab.running.plan import DueTrial, Plan
from seqlab.store.database import Store

PAGE = '''
"""Does it train? It dies at batch 8 where there is a file `die`, and says how many validations it made."""

import os, signal
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
from mlx import nn

from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.metrics import Measurement
from seqlab.training import checkpoints
from seqlab.training.loop import fit

HERE = Path(__file__).parent


def batches():
    for number in range(1, 11):
        if number == 8 and (HERE / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        yield mx.ones((2, 3)) * number,


def run(trial):
    checkpoints.use(replace(checkpoints.current(), every_seconds=0.0))
    if trial.seed == 1:
        return
    if (HERE / "edit").exists():
        page = Path(__file__)
        page.write_text(page.read_text().replace("** 2", "** 4"))
        os.kill(os.getpid(), signal.SIGKILL)
    validations = 0

    def validate(model):
        nonlocal validations
        validations += 1
        yield Measurement("mse", 1 / validations, "valid")

    yield from fit(
        nn.Linear(3, 1), lambda model, x: mx.mean(model(x) ** 2), batches=batches(), steps=10,
        learning_rate=trial["rate"], validate=validate, evaluate_every=5,
    )
    yield Measurement("tuning_trials", validations)


experiment = Experiment(run=run, budgets=(Budget("smoke", grid(model="Linear")),))
'''


class Project:
    """One page and one trial; `run` is what a command does with them."""

    def __init__(self, root: Path) -> None:
        self.page, self.kept, self.root = root / "trained.py", root / "checkpoints", root
        self.page.write_text(textwrap.dedent(PAGE).lstrip())

    def run(self, *, rate: float = 0.1, seeds: int = 1) -> list[tuple[Any, ...]]:
        """Execute the trials; the status and the measurements of the last run, times left out."""
        trials = [
            Trial("trained", {"model": "Linear"}, seed, "smoke", {"rate": rate}) for seed in range(seeds)
        ]
        due = tuple(DueTrial(trial, "asked") for trial in trials)
        plan = Plan(load(self.page), self.page, Fingerprints().of(self.page), tuple(trials), due)
        device = ("cpu", "cpu (any)", "0")
        with Store(self.root / "seqlab.db") as store:
            execute(
                [plan], store, device=device, memory_limit=1 << 40, settings=Settings(),
                checkpoints=self.kept, provenance=dict,
            )  # fmt: skip
            return store.rows(
                "SELECT status, one.text, other.text, step, value FROM run "
                "JOIN measurement ON run = run.id JOIN name AS one ON one.id = metric "
                "JOIN name AS other ON other.id = split WHERE one.text != 'training_time' "
                "AND run.id = (SELECT max(id) FROM run) ORDER BY measurement.rowid"
            )

    def files(self) -> list[Path]:
        return list(self.kept.rglob("*.safetensors"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_killed_trial_resumes_and_yields_everything_again(project: Project) -> None:
    straight = project.run()
    assert {row[0] for row in straight} == {"ok"}
    assert straight[-1][1:] == ("tuning_trials", "", None, 2.0)
    assert project.files() == []

    (project.root / "die").touch()
    died = project.run()
    assert {row[0] for row in died} == {"out of memory"}  # as far as anyone can tell
    assert len(project.files()) == 1
    assert len(died) < len(straight)

    (project.root / "die").unlink()
    resumed = project.run()
    assert resumed[-1][1:] == ("tuning_trials", "", None, 1.0)  # the first was made before
    assert [row[:4] for row in resumed] == [row[:4] for row in straight]
    assert [row for row in resumed if row[1] == "loss"] == [row for row in straight if row[1] == "loss"]
    assert project.files() == []


def test_training_begun_on_other_data_is_not_resumed(project: Project) -> None:
    text = project.page.read_text().replace("yield mx.ones((2, 3))", "yield mx.ones((2, 3)) * SCALE")
    project.page.write_text(
        text.replace("def batches", 'SCALE = float((HERE / "scale.txt").read_text())\n\n\ndef batches', 1)
    )
    (project.root / "scale.txt").write_text("1.0")
    for scale, validations in (("1.0", 1.0), ("2.0", 2.0)):
        (project.root / "die").touch()
        project.run()
        assert len(project.files()) == 1
        (project.root / "die").unlink()
        (project.root / "scale.txt").write_text(scale)
        assert project.run()[-1][1:] == ("tuning_trials", "", None, validations)


def test_training_begun_by_other_settings_or_code_is_not_resumed(project: Project) -> None:
    (project.root / "die").touch()
    project.run()
    (project.root / "die").unlink()
    assert project.run(rate=0.2)[-1][1:] == ("tuning_trials", "", None, 2.0)
    assert len(project.files()) == 1  # the other trial's is still there
    project.page.write_text(project.page.read_text().replace("** 2", "** 4"))
    assert project.run()[-1][1:] == ("tuning_trials", "", None, 2.0)
    assert project.files() == []


def test_a_new_worker_does_not_continue_with_other_code(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first trial edits its page and dies; the worker that takes its place reads the page anew."""
    (project.root / "edit").touch()
    project.run(seeds=2)
    assert "trained.py, or what it imports, was changed since" in capsys.readouterr().err
    with Store(project.root / "seqlab.db") as store:
        assert [(record.seed, record.status) for record in store.records("trained")] == [(0, "out of memory")]


def test_stray_files_among_the_checkpoints_are_removed(project: Project) -> None:
    folder = project.kept / "trained"
    (folder / "other code" / "trial").mkdir(parents=True)
    (folder / "stray").write_text("a file where folders are")
    (folder / "link").symlink_to(project.root)
    assert {row[0] for row in project.run()} == {"ok"}
    assert [path.name for path in folder.iterdir()] == [Fingerprints().of(project.page)]
    assert project.page.exists()
