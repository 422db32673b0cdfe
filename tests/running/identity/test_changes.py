"""Is the change of what a run used told in the right words?"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from seqlab.running.fingerprint import Fingerprints
from seqlab.running.identity import changes, versions
from seqlab.running.identity.changes import Changes, state_beside
from seqlab.running.identity.files import LARGE, Files, Known
from seqlab.running.identity.project import Project


@dataclass(frozen=True)
class Stored:
    """A stored run, as far as it is asked about."""

    used: int
    fingerprint: str = "now"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "data.csv").write_text("1")
    (tmp_path / "experiments/page.py").write_text('"""Page."""\n')
    return Project.of(tmp_path / "experiments/page.py")


def change(project: Project, **used: str) -> str:
    names = {name.replace("__", "."): value for name, value in used.items()}
    files = Files(project, Known())
    return Changes(files, "experiments/page.py", "now", {7: names})(Stored(7))


def test_each_change_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "installed", lambda: {"numpy": "2.5.0"})
    bytes_now = f"bytes {Files(project, Known()).hash_of('data.csv')}"
    for used, told in {
        ("data.csv", bytes_now): "",
        ("data.csv", "bytes 0"): "data.csv changed",
        ("data.csv", "changed while it ran"): "data.csv changed",
        ("data.csv", "absent"): "data.csv is new",
        ("gone.csv", "bytes 0"): "gone.csv is gone",
        ("gone.csv", "absent"): "",
        ("experiments/gone.py", "code 0"): "experiments/gone.py is gone",
        ("experiments/page.py", "code 0"): "experiments/page.py changed",
        ("package numpy", "2.5.0"): "",
        ("package numpy", "2.4.1"): "NumPy 2.4.1 -> 2.5.0",
        ("package torch", "2.0"): "torch 2.0 -> none",
        ("seqlab/running/child.py", "code 0"): "",  # runs recorded it while it still had a part
        ("seqlab/running/yielded.py", "code 0"): "seqlab/running/yielded.py changed",
    }.items():
        files = Files(project, Known())
        assert Changes(files, "experiments/page.py", "now", {7: dict([used])})(Stored(7)) == told
    python = Changes(Files(project, Known()), "experiments/page.py", "now", {7: {"Python": "3.1"}})
    assert python(Stored(7)).startswith("Python 3.1 -> 3.")


def test_several_changes_are_named_up_to_three(project: Project) -> None:
    told = change(project, a="bytes 0", b="bytes 0", c="bytes 0", d="bytes 0", e="bytes 0")
    assert told == "a is gone, b is gone, c is gone and 2 more"


def test_a_run_of_which_nothing_was_recorded_goes_by_its_fingerprint(project: Project) -> None:
    since = Changes(Files(project, Known()), "experiments/page.py", "now", {})
    assert (since(Stored(0)), since(Stored(0, "then"))) == ("", "the code changed")


def test_a_digest_is_that_of_the_file_now(project: Project) -> None:
    page = project.root / "experiments/page.py"
    kept = project.root / "kept.json"
    before = Fingerprints(kept)
    first = before.of(page)
    before.keep()
    page.write_text('"""Page."""\nX = 1\n')
    assert Fingerprints(kept).of(page) != first


def test_the_hash_of_a_large_file_is_never_a_kept_one_of_other_bytes(project: Project) -> None:
    large = project.root / "large.bin"
    large.write_bytes(bytes(LARGE + 1))
    known = Known(project.root / "kept.json")
    first = known.hash_of(large)
    known.keep()
    with large.open("r+b") as file:
        file.write(b"x")
    assert Known(known.file).hash_of(large) != first


def test_the_state_beside_tells_what_the_early_stamp_does_not_cover(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = [{"data.csv": "bytes 0", "experiments/page.py": "code 0", "package numpy": "2.4.1"}]

    def state() -> str:
        return state_beside(Files(project, Known()), used, [project.root / "experiments"], [".npz"])

    before = state()
    (project.root / "experiments/page.py").write_text("X = 1\n")
    assert state() == before
    (project.root / "data.csv").write_text("2")
    assert state() != before
    before = state()
    monkeypatch.setattr(changes, "installed", lambda: {"numpy": "9"})
    assert state() != before


def test_versions_are_those_of_the_packages_that_compute() -> None:
    loaded = ["numpy.linalg", "sklearn", "jaxtyping", "joblib", "mlx.core"]
    found = versions.of_modules(loaded, imported=["numpy"])
    assert found.keys() == {"package numpy", "package scikit-learn"}
    assert "package joblib" in versions.of_modules(loaded, imported=["joblib.memory"])
    from importlib.metadata import version

    assert found["package scikit-learn"] == version("scikit-learn")
