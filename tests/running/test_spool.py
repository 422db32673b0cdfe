"""Does what a trial yields come back from the spool, however the process ended?"""

from pathlib import Path

from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.metrics import Measurement
from seqlab.running import spool

YIELDED = [
    Measurement("loss", 0.1 + 0.2, "train", 3),
    Artifact.file("song", "audio/midi", b"MThd\x00\xff\n"),
    Measurement("parameters", 100),
]


def test_measurements_and_artifacts_come_back_in_order(tmp_path: Path) -> None:
    file = tmp_path / "spool.jsonl"
    file.write_text("".join(map(spool.line_of, YIELDED)))
    assert list(spool.read(file)) == YIELDED


def test_a_last_line_that_is_torn_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "spool.jsonl"
    for cut in (1, 5):
        file.write_text("".join(map(spool.line_of, YIELDED))[:-cut])
        assert list(spool.read(file)) == YIELDED[:2]
