"""Are the runs of one machine alone chosen, and those that answer what is asked?"""

from dataclasses import replace
from pathlib import Path

from seqlab.notebook.experiment import Trial
from seqlab.reference.folder import put, written
from seqlab.reference.held import held
from seqlab.reference.manifest import Manifest
from seqlab.reference.stored import opened
from seqlab.store.tables import load
from tests.reference.made import EPYC, SETTINGS, an_entry, entries

PLANNED = [
    Trial("calm", {"model": model}, seed, "quick", SETTINGS)
    for model in ("Transformer", "LSTM")
    for seed in range(5)
]
XEON = {"device": "cpu (Xeon)", "mlx": "0.32.4"}


def test_seeds_of_two_machines_are_never_mixed(tmp_path: Path) -> None:
    """The machine with most of the planned trials is taken, of equals the later one."""
    found = [*entries(range(3)), *entries(range(5), about=XEON), *entries(range(20, 40), about=EPYC)]
    put(tmp_path / "reference", written({"calm": found}, Manifest()))
    with opened(tmp_path / "reference", tmp_path) as reference:
        assert reference is not None
        records = reference.store.records("calm")
        chosen = held(PLANNED, records)
        assert chosen is not None
        assert {record.device for record in chosen.records} == {"cpu (Xeon)"}
        assert all(chosen.has(trial) for trial in PLANNED)
        assert not chosen.has(replace(PLANNED[0], seed=20))

        later = [
            replace(record, started="2027-01-01") if record.device != "cpu (Xeon)" else record
            for record in records
        ]
        both = held([trial for trial in PLANNED if trial.seed < 3], later)
        assert both is not None
        assert {record.device for record in both.records} == {EPYC["device"]}


def test_other_settings_and_other_pages_are_not_held(tmp_path: Path) -> None:
    put(tmp_path / "reference", written({"calm": entries()}, Manifest()))
    with opened(tmp_path / "reference", tmp_path) as reference:
        assert reference is not None
        records = reference.store.records("calm")
    assert held([replace(trial, settings={"pause": 0.0, "steps": 4}) for trial in PLANNED], records) is None
    assert held([replace(trial, factors={"model": "GRU"}) for trial in PLANNED], records) is None
    assert held(PLANNED, []) is None


def test_a_failed_run_covers_nothing(tmp_path: Path) -> None:
    found = [*entries(range(4)), an_entry("LSTM", 4, status="diverged", series={})]
    put(tmp_path / "reference", written({"calm": found}, Manifest()))
    with opened(tmp_path / "reference", tmp_path) as reference:
        assert reference is not None
        chosen = held(PLANNED, reference.store.records("calm"))
    assert chosen is not None
    assert len(chosen.records) == 9
    assert not chosen.has(next(one for one in PLANNED if one.seed == 4 and one.factors["model"] == "LSTM"))


def test_times_and_unknown_metrics_are_not_read(tmp_path: Path) -> None:
    """An edited reference must not bring times in, and a metric may have been dropped since."""
    series = {
        ("accuracy", "test"): [(None, 0.5)],
        ("step_time", ""): [(0, 1.0)],
        ("old_metric", ""): [(None, 1.0)],
    }
    put(tmp_path / "reference", written({"calm": [an_entry(series=series)]}, Manifest()))
    with opened(tmp_path / "reference", tmp_path) as reference:
        assert reference is not None
        assert list(load(reference.store.path).measurements["metric"]) == ["accuracy"]


def test_the_database_is_made_once_for_each_state(tmp_path: Path) -> None:
    def database() -> Path:
        with opened(tmp_path / "reference", tmp_path) as reference:
            assert reference is not None
            return reference.store.path

    put(tmp_path / "reference", written({"calm": entries()}, Manifest()))
    first = database()
    made = first.stat().st_mtime_ns
    assert database() == first
    assert first.stat().st_mtime_ns == made
    put(tmp_path / "reference", written({"calm": entries(range(6))}, Manifest()))
    assert database() != first
    assert len(list(tmp_path.glob(".reference-*.db"))) == 1
