"""Does a run's provenance say what its commit lacks?"""

import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.store import provenance


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "page.py").write_text("A = 1\n")
    (tmp_path / ".gitignore").write_text("results/\n")
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def uncommitted(root: Path) -> bool:
    told = provenance.gather(
        root, device="d", blas="b", threads=1, calibration="none", cache_bytes=None
    )  # leaves out what is not known
    found: bool = told["uncommitted changes"]
    return found


def test_a_clean_checkout_has_none_whatever_its_results(checkout: Path) -> None:
    (checkout / "results").mkdir()
    (checkout / "results" / "seqlab.db").write_text("x")
    assert not uncommitted(checkout)


def test_the_reference_is_no_code(checkout: Path) -> None:
    """What was measured before does not make what is measured next a result of other code."""
    reference = checkout / "report" / "reference"
    reference.mkdir(parents=True)
    (reference / "page.jsonl").write_text("{}")
    assert not uncommitted(checkout)
    (checkout / "report" / "claims.toml").write_text("")
    assert uncommitted(checkout)


def test_an_edited_page_and_one_that_git_does_not_know_are_changes(checkout: Path) -> None:
    page = checkout / "experiments" / "new.py"
    page.write_text("B = 1\n")
    assert uncommitted(checkout)
    page.unlink()
    assert not uncommitted(checkout)
    (checkout / "experiments" / "page.py").write_text("A = 2\n")
    assert uncommitted(checkout)


def test_a_mac_tells_of_its_energy_saving_and_says_nothing_of_what_it_does_not_know(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {
        ("pmset", "-g"): "Currently in use:\n lowpowermode         1\n sleep                1",
        ("pmset", "-g", "batt"): "Now drawing from 'Battery Power'\n -InternalBattery-0",
        ("pmset", "-g", "therm"): "Note: No thermal warning level has been recorded",
    }
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(provenance, "_output", lambda *command, cwd=None: said.get(command))
    told = provenance.gather(checkout, device="d", blas="b", threads=1, calibration="none", cache_bytes=None)
    assert told["low power mode"] is True
    assert told["power source"] == "Battery Power"
    assert "thermal state" not in told
    said["pmset", "-g"] = "Currently in use:\n lowpowermode 0"
    told = provenance.gather(checkout, device="d", blas="b", threads=1, calibration="none", cache_bytes=None)
    assert told["low power mode"] is False
