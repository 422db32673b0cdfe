"""Does the reference keep what may be told and still counts, and lose nothing to a store that has less?"""

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqlab.errors import StoreError
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.experiment import Budget, Experiment, Trial, grid
from seqlab.notebook.figures import Curve, TextSamples
from seqlab.notebook.metrics import Measurement
from seqlab.reference import fitting
from seqlab.reference import folder as folders
from seqlab.reference.entry import Entry
from seqlab.reference.export import Source, export
from seqlab.reference.folder import find, put, written
from seqlab.reference.manifest import Manifest
from seqlab.running.plan import Request, trials
from seqlab.store.database import Record, Run, Store
from tests.reference.made import SETTINGS, a_run, an_entry, entries


def run(trial: Trial) -> Any:
    yield Measurement("accuracy", 0.5, "test")


PAGE = Experiment(
    name="calm",
    run=run,
    budgets=(Budget("quick", grid(model=("Transformer", "LSTM"), seeds=5), SETTINGS),),
    figures=(
        TextSamples(artifact="sample", by=("model",), caption="Texts."),
        Curve(x="step", y="nats_per_frame", hue="model", caption="A drawn curve."),
    ),
)
PLANNED = trials(PAGE, Request("full"))


def _unchanged(_: Record) -> str:
    return ""


def _export(
    folder: Path, runs: Sequence[Run], *, since: Callable[[Record], str] = _unchanged, page: Experiment = PAGE
) -> list[str]:
    database = folder / f"{len(list(folder.glob('*.db')))}.db"
    with Store(database) as store:
        store.add_all(runs)
        source = Source(page, trials(page, Request("full")), since)
        return export(folder / "reference", folder, store, [source], gone=lambda name: name == "dropped")


def _found(folder: Path, page: str = "calm") -> list[Entry]:
    whole = find(folder / "reference")
    return whole.entries(page) if whole else []


def test_what_is_told_of_a_run(tmp_path: Path) -> None:
    failed = a_run(
        "Transformer", status="failed", measurements=(), artifacts=(),
        error="OSError: no such file: '/home/someone/secret/data.csv' (and C:\\Users\\me\\x.csv)",
        traceback='File "/home/someone/page.py"',
    )  # fmt: skip
    lines = _export(tmp_path, [a_run(), failed])
    assert lines == ["report/reference: 2 runs, 2 of them new, 0.00 MB (calm 2)."]
    good, bad = _found(tmp_path)
    assert (good.seconds, good.date, good.machine) == (1.23, "2026-12-24", ("cpu (test)", "0.0"))
    assert good.series == {
        ("loss", "train"): [(0, 2.1234568), (10, 1.5)],
        ("accuracy", "test"): [(None, 0.5)],
        ("parameters", ""): [(None, 123_456_789.0)],  # exactly; and no time of this machine
    }
    assert [one.name for one in good.artifacts] == ["sample"]
    assert good.about == {"commit": "abc", "cores": 2, "device": "cpu (test)", "mlx": "0.0"}
    assert good.code.used == {"package numpy": "2.4.6", "seqlab/models/lstm.py": "code 1"}
    assert bad.error == "OSError: no such file: 'data.csv' (and x.csv)"
    texts = "".join(path.read_text() for path in (tmp_path / "reference").iterdir())
    for private in ("someone", "my-laptop", "secret", str(tmp_path), "Traceback"):
        assert private not in texts


def test_an_artifact_that_names_a_folder_here_is_left_out_and_told(tmp_path: Path) -> None:
    sample = Artifact.text("sample", f"written to {tmp_path}/results")
    lines = _export(tmp_path, [a_run(artifacts=(sample,))])
    assert lines[0] == "calm: 1 of sample are left out, since they name folders here."
    assert _found(tmp_path)[0].artifacts == ()


def test_artifacts_are_those_of_the_first_good_seed(tmp_path: Path) -> None:
    _export(tmp_path, [a_run(seed=0, status="failed"), *(a_run(seed=seed) for seed in (3, 1, 2))])
    assert [one.seed for one in _found(tmp_path) if one.artifacts] == [1]
    _export(tmp_path, [a_run(seed=0)])  # then it is another
    assert [(one.seed, one.artifacts[0].data) for one in _found(tmp_path) if one.artifacts] == [
        (0, b"by seed 0")
    ]


def test_only_what_counts_is_exported(tmp_path: Path) -> None:
    runs = [
        a_run(seed=0),
        a_run(seed=0, status="failed"),  # a later failure does not hide a good run
        a_run(seed=7),  # a further seed
        a_run(seed=1, settings={**SETTINGS, "steps": 5}),  # other settings than any budget's
        a_run(seed=2, factors={"model": "dropped"}),
        a_run(seed=3, fingerprint="stale"),
        a_run(seed=4, status="diverged"),
        a_run(seed=8, status="timed out"),  # that is of this machine
        a_run("Transformer", status="out of memory"),
    ]
    _export(tmp_path, runs, since=lambda one: "x changed" if one.fingerprint == "stale" else "")
    assert [(one.seed, one.status) for one in _found(tmp_path)] == [(0, "ok"), (4, "diverged"), (7, "ok")]


def test_a_store_that_holds_less_takes_nothing_away(tmp_path: Path) -> None:
    put(tmp_path / "reference", written({"calm": entries(), "other": entries()}, Manifest()))
    _export(tmp_path, [])
    assert len(_found(tmp_path)) == len(_found(tmp_path, "other")) == 10
    lines = _export(tmp_path, [a_run(seed=2)])  # another machine's is kept beside, never mixed
    assert "1 of them new" in lines[-1]
    assert len(_found(tmp_path)) == 11


def test_a_run_takes_the_place_of_one_of_the_same_trial_and_machine(tmp_path: Path) -> None:
    about = {"device": "cpu (test)", "mlx": "0.0"}
    put(tmp_path / "reference", written({"calm": entries(about=about)}, Manifest()))
    _export(tmp_path, [a_run(seed=2), a_run(seed=3, status="failed", measurements=())])
    found = {(one.factors["model"], one.seed): one for one in _found(tmp_path)}
    assert len(found) == 10
    assert found["LSTM", 2].date == "2026-12-24"
    assert found["LSTM", 3].status == "ok"  # a failure replaces no good run
    assert "as before" in _export(tmp_path, [a_run(seed=2)])[-1]


def test_a_machine_that_has_all_of_another_takes_its_place(tmp_path: Path) -> None:
    put(tmp_path / "reference", written({"calm": entries(range(2))}, Manifest()))
    every = [a_run(model, seed) for model in ("LSTM", "Transformer") for seed in range(2)]
    _export(tmp_path, every[:-1])
    assert {one.machine[0] for one in _found(tmp_path)} == {
        "cpu (test)",
        "cpu (AMD EPYC 9454 48-Core Processor)",
    }
    _export(tmp_path, every)
    assert {one.machine[0] for one in _found(tmp_path)} == {"cpu (test)"}


def test_what_the_page_no_longer_asks_for_leaves(tmp_path: Path) -> None:
    old = [*entries(), an_entry(seed=1, settings={"pause": 1.0, "steps": 9})]
    put(tmp_path / "reference", written({"calm": old, "dropped": old, "other": old}, Manifest()))
    lines = _export(tmp_path, [])
    assert lines[0] == "dropped: its runs are left out, since there is no such page any more."
    assert (len(_found(tmp_path)), len(_found(tmp_path, "dropped")), len(_found(tmp_path, "other"))) == (
        10,
        0,
        11,
    )


def test_nothing_to_export_writes_nothing(tmp_path: Path) -> None:
    assert _export(tmp_path, []) == []
    assert not (tmp_path / "reference").exists()


def test_what_does_not_fit_is_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve = [Measurement("loss", 1 / step, "train", step) for step in range(1, 200)]
    drawn = [Measurement("nats_per_frame", 1 / step, "train", step) for step in range(1, 20)]
    noise = Artifact.text("sample", "".join(random.Random(0).choices(string.ascii_letters, k=5_000)))
    runs = [a_run(seed=seed, measurements=(*curve, *drawn), artifacts=(noise,)) for seed in range(3)]
    for limit, artifacts, points in ((100_000, 1, 199), (15_500, 0, 199), (5_000, 0, 1)):
        for module in (fitting, folders):
            monkeypatch.setattr(module, "MOST_BYTES", limit)
        folder = tmp_path / str(limit)
        folder.mkdir()
        lines = _export(folder, runs)
        first, *_ = _found(folder)
        assert len(first.artifacts) == artifacts, limit
        assert len(first.series["loss", "train"]) == points, limit
        assert len(first.series["nats_per_frame", "train"]) == 19
        told = [line for line in lines if "would exceed" in line]
        assert len(told) == (not artifacts) + (points == 1)
    assert told[0].startswith("calm: its artifacts are left out")


def test_the_curve_that_is_dropped_keeps_its_last_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MOST_BYTES", 10)
    monkeypatch.setattr(folders, "MOST_BYTES", 5_000)
    _export(tmp_path, [a_run()])
    assert _found(tmp_path)[0].series["loss", "train"] == [(10, 1.5)]


def test_what_is_damaged_is_not_written_over(tmp_path: Path) -> None:
    put(tmp_path / "reference", written({"calm": entries()}, Manifest()))
    path = tmp_path / "reference" / "calm.jsonl"
    path.write_text(path.read_text()[:-9])
    before = path.read_bytes()
    with pytest.raises(StoreError, match="edited or cut"):
        _export(tmp_path, [a_run()])
    assert path.read_bytes() == before


def test_the_order_of_the_runs_is_that_of_what_was_tried(tmp_path: Path) -> None:
    runs = [a_run(model, seed) for seed in (4, 0, 2) for model in ("Transformer", "LSTM")]
    _export(tmp_path, runs)
    text = (tmp_path / "reference" / "calm.jsonl").read_text()
    (tmp_path / "again").mkdir()
    _export(tmp_path / "again", runs[::-1])
    assert (tmp_path / "again" / "reference" / "calm.jsonl").read_text() == text
    assert [(one.factors["model"], one.seed) for one in _found(tmp_path)] == [
        (model, seed) for model in ("LSTM", "Transformer") for seed in (0, 2, 4)
    ]


def test_numeric_levels_beyond_the_plan_count(tmp_path: Path) -> None:
    page = replace(PAGE, budgets=(Budget("quick", grid(model="LSTM", length=(8, 16), seeds=2), SETTINGS),))
    runs = [a_run(factors={"model": "LSTM", "length": length}) for length in (8, 32)]
    _export(tmp_path, runs, page=page)
    assert [one.factors["length"] for one in _found(tmp_path)] == [32, 8]
