"""A small project to try the command line on: one page that behaves, and pages that do not."""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]

# `python -m seqlab`, heeding Ctrl-C even where a shell had the tests ignore it, as it does in the background.
SEQLAB = [
    sys.executable,
    "-c",
    """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module('seqlab', run_name='__main__', alter_sys=True)
""",
]

CALM = '''"""Is a calm page calm?

Two models, a made score, no training.
"""

import time

from seqlab.notebook.claims import Claim, Difference
from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.figures import Interval, Table
from seqlab.notebook.metrics import Measurement

LIFT = 0.5


def run(trial):
    time.sleep(trial["pause"])
    lift = LIFT if trial["model"] == "Transformer" else 0.0
    yield Measurement("accuracy", 0.2 + lift + 0.01 * (trial.seed % 3), "test")


experiment = Experiment(
    run=run,
    protocol={"pause": 0.0, "steps": 3},
    budgets=(Budget("quick", grid(model=("Transformer", "LSTM"), seeds=5)),),
    claims=(
        Claim(
            "C38",
            Difference(
                metric="accuracy", split="test", left={"model": "Transformer"}, right={"model": "LSTM"},
                above=0.1, matched=(),
            ),
            "The Transformer is right more often.",
        ),
    ),
    figures=(
        Interval(x="accuracy", y="model", split="test", caption="Accuracy of both."),
        Table(rows=("model",), metrics=("accuracy",), split="test", caption="The same in numbers."),
    ),
)
'''

BROKEN = CALM.replace("import time\n", "import nothing_of_this_name\n").replace("calm page", "broken page")
FAILING = CALM.replace("    lift = LIFT", '    raise ValueError("on purpose")\n    lift = LIFT').replace(
    "C38", "C41"
)


def make(folder: Path, **pages: str) -> Path:
    """A project root with these pages, the real words and no reference; its results go to `results` in it."""
    (folder / "experiments").mkdir(parents=True)
    for name, text in pages.items():
        (folder / "experiments" / f"{name}.py").write_text(text)
    shutil.copytree(HERE / "report", folder / "report", ignore=shutil.ignore_patterns("reference"))
    return folder


SHOWING = '''"""What does a page show that is no number?"""

from seqlab.notebook.artifacts import Artifact, Panel
from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.figures import Attachment, Interval, TextSamples, ImageGrid
from seqlab.notebook.metrics import Measurement

LAST = "LSTM"


def run(trial):
    yield Measurement("accuracy", 0.5 + 0.01 * trial.seed, "test")
    head = f"{trial['model']}, seed {trial.seed}: <b>*bold*</b> {{{{< include x >}}}}"
    yield Artifact.text("sample", chr(10).join([head, *map(str, range(40))]))
    yield Artifact.images("chain", [Panel("Chain", ((0, 1, -1),), categories=("helix", "coil"))])
    if trial["model"] != "Linear":
        yield Artifact.file("song", "audio/midi", b"MThd" + bytes(trial["steps"]) + trial["model"].encode())


experiment = Experiment(
    run=run,
    budgets=(Budget("smoke", grid(model=("Transformer", "LSTM", "Linear"), seeds=2), {"steps": 3}),),
    figures=(
        TextSamples(
            artifact="sample", by=("model",), where={"model": ("Transformer", "LSTM")}, caption="Texts."
        ),
        Interval(x="accuracy", y="model", split="test", caption="Accuracy."),
        ImageGrid(artifact="chain", by=("model",), caption="Chains."),
        Attachment(artifact="song", by=("model",), where={"model": ("Transformer", LAST)}, caption="Songs."),
    ),
)
'''
