"""Are attached files replaced atomically, and foreign files never removed?"""

import json
from pathlib import Path

import pytest

from seqlab.document.attachments import MANIFEST, keep, state


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)


def test_files_that_a_page_no_longer_has_are_removed_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "music-mine.mid").write_bytes(b"foreign")
    keep(tmp_path, {"music": {"music-a.mid": b"1", "music-b.mid": b"2"}, "vit": {"vit-a.txt": b"3"}})
    assert keep(tmp_path, {"music": {"music-b.mid": b"4"}}) == [tmp_path / "music-b.mid"]
    assert names(tmp_path) == ["music-b.mid", "music-mine.mid", "vit-a.txt"]
    assert (tmp_path / "music-b.mid").read_bytes() == b"4"
    assert keep(tmp_path, {"music": {}, "vit": {}}) == []
    assert names(tmp_path) == ["music-mine.mid"]


def test_pages_without_attachments_write_nothing(tmp_path: Path) -> None:
    keep(tmp_path, {"rnn": {}})
    assert list(tmp_path.iterdir()) == []
    assert state(tmp_path, ["rnn"]) == ""


@pytest.mark.parametrize(
    "listed",
    [
        "not json",
        "[]",
        '{"music": 3}',
        '{"music": {"../music-x.mid": "", "seqlab.db": "", "music-x.db": ""}}',
    ],
)
def test_a_corrupt_manifest_removes_nothing(tmp_path: Path, listed: str) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    for path in (tmp_path / "music-x.mid", folder / "seqlab.db", folder / "music-x.db"):
        path.write_bytes(b"precious")
    (folder / MANIFEST).write_text(listed)
    keep(folder, {"music": {}})
    assert names(folder) == ["music-x.db", "seqlab.db"]
    assert (tmp_path / "music-x.mid").exists()
    assert json.loads((folder / MANIFEST).read_text()) == {}


def test_the_state_changes_with_content_and_with_a_removed_file(tmp_path: Path) -> None:
    keep(tmp_path, {"music": {"music-a.mid": b"1"}, "vit": {"vit-a.mid": b"1"}})
    first = state(tmp_path, ["music"])
    keep(tmp_path, {"vit": {"vit-a.mid": b"2"}})
    assert state(tmp_path, ["music"]) == first
    keep(tmp_path, {"music": {"music-a.mid": b"2"}})
    second = state(tmp_path, ["music"])
    (tmp_path / "music-a.mid").unlink()
    assert len({first, second, state(tmp_path, ["music"])}) == 3
