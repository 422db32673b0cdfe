"""Is a machine refused that has other code, data, packages or another device than the command?"""

from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.cluster.same import data, differs, versions, workspace_of
from seqlab.cluster.words import Terms
from seqlab.running.fingerprint import Fingerprints
from tests.project import CALM, make

DEVICE = ("cpu", "cpu (here)", "1.0")


@pytest.fixture
def terms(tmp_path: Path) -> Terms:
    """Those of a project with one page, which this machine meets."""
    root = make(tmp_path, calm=CALM)
    pages = {"calm.py": Fingerprints().of(root / "experiments" / "calm.py")}
    return Terms(root, root / "results", None, DEVICE[2], versions(), DEVICE[1], pages, data())


def test_the_same_fits(terms: Terms) -> None:
    assert differs(terms, DEVICE, workspace_of(terms)) == ""
    assert workspace_of(terms).results == terms.results


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"mlx": "2.0"}, "it has MLX 1.0, this command 2.0"),
        ({"versions": {"Python": "3.9.1"}}, "this command 3.9.1"),
        ({"versions": {"package numpy": "1.0"}}, "it has numpy"),
        ({"device": "gpu (there)"}, "its device is cpu (here), this report is about gpu (there)"),
        ({"pages": {"calm.py": "0" * 16}}, "calm.py, or what it imports, is other code than here"),
        ({"pages": {"other.py": "0" * 16}}, "other.py, or what it imports, is missing"),
        ({"data": "0" * 16}, "are others than here"),
    ],
)
def test_what_differs_is_named(terms: Terms, changes: dict[str, object], found: str) -> None:
    other = replace(terms, **changes)
    refusal = differs(other, DEVICE, workspace_of(other))
    assert found in refusal
    assert "\n" not in refusal


def test_a_machine_without_the_commands_folder_uses_its_own_project(terms: Terms, tmp_path: Path) -> None:
    assert workspace_of(replace(terms, root=tmp_path / "elsewhere")).root != terms.root
