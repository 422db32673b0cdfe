"""Do texts, plates and files come from a page's `run` to the reader, and to nobody's harm?"""

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from seqlab.__main__ import main
from seqlab.errors import UsageError
from seqlab.notebook.artifacts import Artifact, Panel, file_name, panels_of, text_of
from tests.project import HERE, SHOWING, make

Run = Callable[..., int]


@pytest.fixture
def seqlab(tmp_path: Path) -> Run:
    """Run a command on the project in `tmp_path`, which has one page that shows one of each."""
    make(tmp_path, shows=SHOWING)
    return lambda *command: main([*command, "--root", str(tmp_path)])


def files(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "results").glob("shows-*"))


def test_a_page_that_shows_one_of_each_in_the_terminal(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seqlab("run", "shows", "--smoke") == 0
    shown = capsys.readouterr().out
    assert "│ Transformer, seed 0: <b>*bold*</b> {{< include x >}}" in shown
    assert "seed 1:" not in shown
    assert shown.count("│ 18\n") == 2
    assert "│ 19\n" not in shown
    assert "… and 21 more lines, in the report" in shown
    path = tmp_path / "results" / "shows-LSTM-song.mid"
    assert f"{path} (11 B; made by LSTM, seed 0)" in shown.replace("\n", "")
    assert path.read_bytes() == b"MThd\0\0\0LSTM"
    assert files(tmp_path) == ["shows-LSTM-song.mid", "shows-Transformer-song.mid"]


def test_a_page_that_shows_one_of_each_in_the_report(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    report = results / "report.html"
    assert seqlab("report", "--smoke", "--engine", "embedded") == 0
    page = report.read_text()
    texts = [
        unescape(re.sub("<[^>]+>", "", text)) for text in re.findall("<pre>(.*?)</pre>", page, re.DOTALL)
    ]
    first, second = (text.replace("\u2060", "").split("\n") for text in texts)
    assert first == ["Transformer, seed 0: <b>*bold*</b> {{< include x >}}", *map(str, range(40))]
    assert second[0].startswith("LSTM, seed 0")
    assert 'href="shows-LSTM-song.mid"' in page
    order = [page.index(text) for text in ("Texts.", "Accuracy. ", "Chains.", "Songs.")]
    assert order == sorted(order)
    said = unescape(page)
    assert "LSTM: “Chain”, 1 row by 3 columns, 1 helix, 1 coil, 1 empty" in said

    def again(*command: str) -> bool:
        """Whether the report is made anew."""
        before = report.stat().st_mtime_ns
        assert seqlab(*command, "--smoke", "--engine", "embedded") == 0
        return report.stat().st_mtime_ns != before

    assert not again("report")
    assert seqlab("run", "shows", "--smoke") == 0
    assert not again("report")  # the same files were written again
    assert seqlab("run", "shows", "--smoke", "--set", "steps=9") == 0
    assert again("report")  # the files that it links to were another command's
    assert (results / "shows-LSTM-song.mid").read_bytes() == b"MThd\0\0\0LSTM"
    (results / "shows-LSTM-song.mid").unlink()
    assert again("report")
    assert (results / "shows-LSTM-song.mid").is_file()

    (results / "shows-mine.mid").write_text("mine")
    (tmp_path / "experiments" / "shows.py").write_text(SHOWING.replace('LAST = "LSTM"', 'LAST = "none"'))
    assert again("report")
    assert files(tmp_path) == ["shows-Transformer-song.mid", "shows-mine.mid"]


def test_a_report_with_nothing_to_do_needs_no_desk_to_look_at_attachments(
    tmp_path: Path, seqlab: Run
) -> None:
    assert seqlab("report", "--smoke", "--engine", "embedded") == 0
    script = textwrap.dedent(
        f"""
        import sys
        from seqlab.__main__ import main
        assert main(["report", "--smoke", "--engine", "embedded", "--root", {str(tmp_path)!r}]) == 0
        print(sorted({{"pandas", "matplotlib", "seaborn"}} & set(sys.modules)))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=HERE, capture_output=True, text=True, check=True
    )
    assert "up to date" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_artifact_that_is_of_another_kind_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="a text in the artifact 'song', found audio/midi"):
        text_of(Artifact.file("song", "audio/midi", b"x"))
    for data in (b"[1]", b"{", b"\xff", b'[{"title": "t"}]'):
        with pytest.raises(UsageError, match="'map' holds no images"):
            panels_of(Artifact("map", "application/json", data))


def test_texts_and_images_come_back_as_they_were() -> None:
    panel = Panel("t", ((0, -1), (1, 0)), categories=("a", "b"), over=((0.1, 0), (0, 1)), rows=("x", "y"))
    assert panels_of(Artifact.images("map", [panel])) == (panel,)
    assert text_of(Artifact.text("text", "a\r\n\tb\0")) == "a\r\n\tb\0"
    assert text_of(Artifact.text("text", "half \udc80")) == "half \\udc80"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("music", "LSTM + attention"), "music-LSTM-attention-song.mid"),
        (("../..", "a/b\0", "ü"), "a-b-song.mid"),
        (("x" * 300,), "x" * 111 + "-"),
    ],
)
def test_a_files_name_is_safe_everywhere(words: tuple[str, ...], name: str) -> None:
    made = file_name(Artifact.file("song", "audio/midi", b""), *words)
    assert made.startswith(name)
    assert made.endswith(".mid")
    assert len(made) <= 124
