"""Are files beside the report replaced whole, and none removed that is not ours?"""

import json
from pathlib import Path

import pytest

from seqlab.document.attachments import LIST, keep, state


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LIST)


def test_what_a_page_has_no_longer_goes_and_all_else_stays(tmp_path: Path) -> None:
    (tmp_path / "music-mine.mid").write_bytes(b"foreign")
    keep(tmp_path, {"music": {"music-a.mid": b"1", "music-b.mid": b"2"}, "vit": {"vit-a.txt": b"3"}})
    assert keep(tmp_path, {"music": {"music-b.mid": b"4"}}) == [tmp_path / "music-b.mid"]
    assert names(tmp_path) == ["music-b.mid", "music-mine.mid", "vit-a.txt"]
    assert (tmp_path / "music-b.mid").read_bytes() == b"4"
    assert keep(tmp_path, {"music": {}, "vit": {}}) == []
    assert names(tmp_path) == ["music-mine.mid"]


def test_pages_without_any_leave_no_trace(tmp_path: Path) -> None:
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
def test_a_list_that_was_tampered_with_removes_nothing(tmp_path: Path, listed: str) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    for path in (tmp_path / "music-x.mid", folder / "seqlab.db", folder / "music-x.db"):
        path.write_bytes(b"precious")
    (folder / LIST).write_text(listed)
    keep(folder, {"music": {}})
    assert names(folder) == ["music-x.db", "seqlab.db"]
    assert (tmp_path / "music-x.mid").exists()
    assert json.loads((folder / LIST).read_text()) == {}


def test_the_state_tells_of_other_content_and_of_a_file_that_is_gone(tmp_path: Path) -> None:
    keep(tmp_path, {"music": {"music-a.mid": b"1"}, "vit": {"vit-a.mid": b"1"}})
    first = state(tmp_path, ["music"])
    keep(tmp_path, {"vit": {"vit-a.mid": b"2"}})
    assert state(tmp_path, ["music"]) == first
    keep(tmp_path, {"music": {"music-a.mid": b"2"}})
    second = state(tmp_path, ["music"])
    (tmp_path / "music-a.mid").unlink()
    assert len({first, second, state(tmp_path, ["music"])}) == 3
