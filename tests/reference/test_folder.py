"""Is a reference read as it was written, changed only where something changed, and never used if damaged?"""

import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import StoreError
from seqlab.notebook.artifacts import Artifact
from seqlab.reference import folder as folders
from seqlab.reference.entry import DIGITS, Entry, entry_of, line
from seqlab.reference.folder import find, put, written
from seqlab.reference.manifest import Code, Manifest
from tests.reference.made import EPYC, an_entry, entries

FILE = "calm.jsonl"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    rich = an_entry(
        status="diverged",
        error="loss is nan – “on purpose”\u2028next",
        series={("loss", "train"): [(0, 2.5), (10, 1.25)], ("parameters", ""): [(None, 123456789.0)]},
        artifacts=(
            Artifact.text("text", "To be,\n\ttḧat\u2028\u0085 — ‮is\r\n"),
            Artifact.file("song", "audio/midi", b"MThd\x00\xff" * 50),
        ),
    )
    assert put(tmp_path, written({"calm": [rich], "other": entries()}, Manifest()))
    whole = find(tmp_path)
    assert whole is not None
    assert whole.entries("calm") == [rich]
    assert sorted(whole.entries("other"), key=lambda one: one.key) == sorted(
        entries(), key=lambda one: one.key
    )
    assert whole.entries("absent") == []
    assert not (tmp_path / "manifest.json.part").exists()


def test_no_folder_and_an_empty_one_hold_no_reference(tmp_path: Path) -> None:
    assert find(tmp_path / "absent") is None
    assert find(tmp_path) is None


@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    text=st.text(),
    level=st.one_of(st.text(), st.integers(-(2**53), 2**53), st.booleans()),
)
def test_any_value_and_text_survive(value: float, text: str, level: str | int | bool) -> None:
    manifest = Manifest()
    entry = an_entry(factors={"level": level}, error=text, series={("loss", ""): [(None, value)]})
    said = line(entry, manifest)
    assert "\n" not in said
    back = entry_of(said, manifest, where="here")
    assert replace(back, series={}) == replace(entry, series={})
    ((_, found),) = back.series["loss", ""]
    assert math.isclose(found, value, rel_tol=10.0 ** (1 - DIGITS), abs_tol=1e-320)
    assert found == value or not value.is_integer() or abs(value) >= 2**53


def test_a_rerun_changes_the_lines_of_its_trials_alone(tmp_path: Path) -> None:
    put(tmp_path, written({"calm": entries(), "other": entries()}, Manifest()))
    before = (tmp_path / FILE).read_text().splitlines()
    other, told = (
        (tmp_path / "other.jsonl").read_bytes(),
        (tmp_path / "manifest.json").read_text().splitlines(),
    )
    whole = find(tmp_path)
    assert whole is not None
    assert not put(tmp_path, written({"calm": entries(), "other": entries()}, whole.manifest))

    again = an_entry("LSTM", 3, code=Code("new", {"experiments/calm.py": "code 4567"}), date="2026-12-13")
    kept = [entry for entry in entries() if entry.key != again.key]
    assert put(tmp_path, written({"calm": [again, *kept], "other": entries()}, whole.manifest))
    after = (tmp_path / FILE).read_text().splitlines()
    assert len(before) == len(after) == 10
    assert sum(one != two for one, two in zip(before, after, strict=True)) == 1
    assert (tmp_path / "other.jsonl").read_bytes() == other
    gone = set(told) - set((tmp_path / "manifest.json").read_text().splitlines())
    assert len(gone) <= 4  # the file's hash, and lines that now end with a comma


def test_what_no_run_has_leaves_the_manifest(tmp_path: Path) -> None:
    put(tmp_path, written({"calm": [*entries(), an_entry(seed=9, settings={"steps": 9})]}, Manifest()))
    whole = find(tmp_path)
    assert whole is not None
    put(tmp_path, written({"calm": entries()}, whole.manifest))
    said = json.loads((tmp_path / "manifest.json").read_text())
    assert list(said["settings"].values()) == [{"pause": 0.0, "steps": 3}]


def _edit(folder: Path) -> None:
    path = folder / FILE
    path.write_text(path.read_text().replace("0.41", "0.99", 1))


def _truncate(folder: Path) -> None:
    path = folder / FILE
    path.write_bytes(path.read_bytes()[:-40])


def _foreign_file(folder: Path) -> None:
    (folder / "results.jsonl").write_text("{}\n")


def _foreign_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"name": "a web page", "icons": []}')


def _broken_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])


def _binary_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe\x00")


def _said(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    path = folder / "manifest.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))


def _newer(folder: Path) -> None:
    _said(folder, lambda said: said.update(schema=2))


def _other_schema(folder: Path) -> None:
    _said(folder, lambda said: said.update(schema="x"))


def _half_manifest(folder: Path) -> None:
    _said(folder, lambda said: said.pop("codes"))


def _without_device(folder: Path) -> None:
    _said(folder, lambda said: said.update(about={"1": {"cores": 2}}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            _edit,
            "expected report/reference/calm.jsonl as it was written (by its hash in the manifest), found",
        ),
        (_truncate, "it was edited or cut"),
        (lambda folder: (folder / FILE).unlink(), "expected the file report/reference/calm.jsonl"),
        (lambda folder: (folder / "manifest.json").unlink(), "a manifest beside report/reference/calm.jsonl"),
        (_foreign_file, "only files that the manifest lists, found report/reference/results.jsonl"),
        (_foreign_manifest, "expected the manifest of a reference in report/reference/manifest.json, found"),
        (_broken_manifest, "expected the manifest of a reference"),
        (_binary_manifest, "expected files that can be read"),
        (
            _newer,
            "expected schema 1 in report/reference/manifest.json, found schema 2, written by a newer Seqlab",
        ),
        (
            _other_schema,
            "expected schema 1 in report/reference/manifest.json, found schema 'x', written by another",
        ),
        (_half_manifest, "expected a whole manifest"),
        (_without_device, "circumstances without a device"),
    ],
)
def test_a_damaged_reference_is_one_clear_line_and_stays_as_it_is(
    tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    put(tmp_path, written({"calm": entries()}, Manifest()))
    damage(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError) as caught:
        find(tmp_path)
    text = str(caught.value)
    assert words in text
    assert "git checkout" in text
    assert "--no-reference" in text
    assert "\n" not in text
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"status":"ok"', '"status":"splendid"', "none of ok, failed"),
        ('"seed":0', '"seed":"0"', "is no whole number"),
        ('"settings":1', '"settings":7', "the manifest has no number 7"),
        ("0.4]]", "NaN]]", "is no finite number"),
        ('"date":"2026-12-12"', '"date":"yesterday"', "ValueError"),
        ('"measured"', '"measures"', "KeyError"),
        ('{"about"', "about", "JSONDecodeError"),
        ('{"model":"LSTM"}', '{"model":["LSTM"]}', "a factor's level is"),
    ],
)
def test_a_line_that_tells_no_run_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    put(tmp_path, written({"calm": entries()}, Manifest()))
    text = (tmp_path / FILE).read_text()
    assert old in text.splitlines()[0]
    text = text.replace(old, new, 1)
    (tmp_path / FILE).write_text(text)
    _said(
        tmp_path,
        lambda said: said["pages"]["calm"].update(sha256=sha256(text.encode()).hexdigest()),  # type: ignore[index]
    )
    whole = find(tmp_path)
    assert whole is not None
    with pytest.raises(StoreError, match=f"a run in line 1 of report/reference/{FILE}, found .*{words}"):
        whole.entries("calm")


def test_a_writer_that_is_killed_anywhere_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = entries(range(3)), entries(range(6), about={**EPYC, "commit": "def"})
    steps = 0
    for killed_at in range(100):
        folder = tmp_path / str(killed_at)
        put(folder, written({"calm": old, "gone": old}, Manifest()))
        steps = _killed_after(killed_at, folder, new, monkeypatch)
        whole = find(folder)
        assert whole is not None
        found = {page: len(whole.entries(page)) for page in whole.manifest.pages}
        assert found in ({"calm": 6, "gone": 6}, {"calm": 12, "new": 12})
        if steps < killed_at:
            assert found == {"calm": 12, "new": 12}
            break
    assert steps > 5


def _killed_after(number: int, folder: Path, new: list[Entry], monkeypatch: pytest.MonkeyPatch) -> int:
    """Write, and stop after so many changes of files; returns how many were made."""
    made = 0

    class KilledError(BaseException):
        pass

    def counted(name: str) -> Callable[..., object]:
        real = getattr(Path, name)

        def act(*arguments: object, **named: object) -> object:
            nonlocal made
            if made == number:
                raise KilledError
            made += 1
            return real(*arguments, **named)

        return act

    with monkeypatch.context() as patched:
        for name in ("write_bytes", "write_text", "replace", "unlink"):
            patched.setattr(Path, name, counted(name))
        with suppress(KilledError):
            put(folder, written({"calm": new, "new": new}, Manifest()))
    return made


def test_more_than_the_limit_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, written({"calm": entries(range(2))}, Manifest()))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(folders, "MOST_BYTES", 3_000)
    with pytest.raises(StoreError, match=r"expected at most 0\.003 MB.*nothing was written"):
        put(tmp_path, written({"calm": entries(range(20))}, Manifest()))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write to .*every result is safe"):
        put(tmp_path / "file" / "reference", written({"calm": entries()}, Manifest()))
