"""References made by hand: of a page with two models and a made score, on machines that nobody has."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.reference.entry import Entry
from seqlab.reference.folder import put, written
from seqlab.reference.manifest import Code, Manifest
from seqlab.store.database import Run
from tests.project import CALM

LEARNING = CALM.replace('Budget("smoke"', 'Budget("quick"').replace(
    "    claims=(", '    parallel_over=("model",),\n    claims=(', 1
)
SETTINGS = {"pause": 0.0, "steps": 3}
MODELS = {"Transformer": 0.9, "LSTM": 0.4}
EPYC = {"device": "cpu (AMD EPYC 9454 48-Core Processor)", "mlx": "0.32.4", "commit": "abc"}


def an_entry(model: str = "LSTM", seed: int = 0, **changes: Any) -> Entry:
    entry = Entry(
        factors={"model": model},
        settings=SETTINGS,
        seed=seed,
        status="ok",
        seconds=0.01,
        date="2026-12-12",
        code=Code("f" * 16, {"experiments/calm.py": "code 0123"}),
        about=EPYC,
        series={("accuracy", "test"): [(None, round(MODELS[model] + 0.01 * (seed % 3), 2))]},
    )
    return replace(entry, **changes)


def entries(seeds: Iterable[int] = range(5), **changes: Any) -> list[Entry]:
    """A run of each model and seed."""
    return [an_entry(model, seed, **changes) for model in MODELS for seed in seeds]


def make_reference(root: Path, page: str = "calm", found: Iterable[Entry] | None = None) -> Path:
    """Write a reference of one page into the project; returns its folder."""
    folder = root / "report" / "reference"
    put(folder, written({page: list(found) if found is not None else entries()}, Manifest()))
    return folder


def a_run(model: str = "LSTM", seed: int = 0, **changes: Any) -> Run:
    """A run of the same trials, as the store keeps it."""
    settings, factors = changes.pop("settings", SETTINGS), changes.pop("factors", {"model": model})
    run = Run(
        trial=Trial("calm", factors, seed, "full", settings),
        status="ok",
        seconds=1.23456,
        started=datetime(2026, 12, 24, 18, 30, tzinfo=UTC),
        device="cpu (test)",
        mlx="0.0",
        fingerprint="f",
        provenance={"commit": "abc", "cores": 2, "power source": "mains", "hostname": "my-laptop"},
        measurements=(
            Measurement("loss", 2.123456789012, "train", 0),
            Measurement("loss", 1.5, "train", 10),
            Measurement("accuracy", 0.5, "test"),
            Measurement("parameters", 123_456_789),
            Measurement("training_time", 12.0),
        ),
        artifacts=(Artifact.text("sample", f"by seed {seed}"), Artifact.text("unused", "never shown")),
        used={
            "seqlab/models/lstm.py": "code 1",
            "/home/someone/data.csv": "bytes 2",
            "package numpy": "2.4.6",
        },
    )
    return replace(run, **changes)
