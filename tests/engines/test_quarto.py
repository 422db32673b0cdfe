"""Is Quarto found, asked, run and watched as it should be? A strict stand-in answers, or a real one."""

import os
import sys
import time
from pathlib import Path

import pytest

from seqlab.engines import pandoc, quarto
from seqlab.engines.choice import choose
from seqlab.errors import RenderError, UsageError


def real_quarto() -> quarto.Quarto | None:
    try:
        path = quarto.find()
        return quarto.Quarto(path, quarto.version(path)) if path else None
    except RenderError:
        return None


@pytest.fixture
def no_quarto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on PATH, nothing beside Python."""
    monkeypatch.delenv("QUARTO_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(quarto, "find_spec", lambda name: None)


def test_renders_both_formats(stand_in: Path, project: Path) -> None:
    engine = choose("auto")
    assert engine.note == "It was rendered by Quarto 1.9.36. Quarto was found."
    assert engine.identity == "quarto: Quarto 1.9.36"
    done = engine.render(project)
    assert done.html == project / "_output" / "report.html"
    assert done.pdf == project / "_output" / "report.pdf"
    assert done.messages == ("WARNING: Unable to resolve crossref @fig-x",)
    assert "$ render report.qmd --to typst" in (project / quarto.LOG).read_text()


def test_the_environment_variable_wins_then_path_then_beside_python(
    stand_in: Path, no_quarto: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, path = tmp_path / "beside", tmp_path / "path"
    for folder in (beside, path):
        folder.mkdir()
        (folder / "quarto").write_text(stand_in.read_text())
        (folder / "quarto").chmod(0o755)
    assert quarto.find() is None
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    assert quarto.find() == beside / "quarto"
    monkeypatch.setenv("PATH", str(path))
    assert quarto.find() == path / "quarto"
    monkeypatch.setenv("QUARTO_PATH", str(stand_in.parent))
    assert quarto.find() == stand_in


def test_without_quarto_auto_falls_back_and_says_so(no_quarto: None) -> None:
    engine = choose("auto")
    assert engine.name == "embedded"
    assert engine.render is pandoc.render
    assert (
        engine.reason
        == "Quarto could not be used (Quarto is not installed), so the embedded engine was used."
    )


def test_without_quarto_asking_for_it_is_an_error(no_quarto: None) -> None:
    with pytest.raises(
        RenderError, match=r"not installed.*macOS: brew.*Linux: pip.*Windows: winget"
    ) as caught:
        choose("quarto")
    assert caught.value.exit_status == 4


@pytest.mark.parametrize("version", ["1.8.27", "0.9", "no version"])
def test_an_old_quarto_is_not_used(stand_in: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("STAND_IN_VERSION", version)
    with pytest.raises(RenderError, match=f"found '?{version}"):
        choose("quarto")
    assert choose("auto").name == "embedded"


@pytest.mark.parametrize("version", ["1.10.18", "99.9.9"])
def test_a_newer_quarto_is_used(stand_in: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("STAND_IN_VERSION", version)
    assert choose("quarto").version == f"Quarto {version}"


def test_a_wrong_quarto_path_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTO_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(RenderError, match=r"QUARTO_PATH=.*nowhere"):
        choose("quarto")


def test_an_unknown_engine_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="Did you mean 'quarto'"):
        choose("quatro")


def test_its_own_messages_are_shown_when_it_fails(stand_in: Path, project: Path) -> None:
    (project / "report.qmd").write_text("---\ntitle: [open\n---\n")
    with pytest.raises(RenderError, match=r"exit status 1\): ERROR: YAMLException.*quarto.log") as caught:
        choose("quarto").render(project)
    assert "\n" not in str(caught.value)


def test_a_missing_document_is_reported(stand_in: Path, project: Path) -> None:
    (project / "report.qmd").unlink()
    with pytest.raises(RenderError, match="No valid input files"):
        choose("quarto").render(project)


def test_success_without_a_document_is_a_failure(
    stand_in: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "silent")
    (project / "_output").mkdir()
    (project / "_output" / "report.html").write_text("an old one")
    with pytest.raises(RenderError, match=r"expected Quarto to write .*report.html"):
        choose("quarto").render(project)


def test_a_quarto_that_hangs_is_ended_with_its_children(
    stand_in: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "hang")
    with pytest.raises(RenderError, match=r"to finish html in 3 s; it was stopped"):
        choose("quarto").render(project, timeout=3.0)
    child = int((project / "child.pid").read_text())
    for _ in range(200):  # a killed process may stay listed until its parent's parent reaps it
        if not alive(child):
            break
        time.sleep(0.02)
    assert not alive(child)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.skipif(real_quarto() is None, reason="Quarto 1.9 or later is not installed")
def test_the_real_quarto_renders_the_same_document(project: Path) -> None:
    found = real_quarto()
    assert found
    done = quarto.render(found, project)
    assert done.html
    assert done.pdf
    page = done.html.read_text(encoding="utf-8").replace("\u00a0", " ")
    for text in (
        "Figure 1",
        "Figure 2 (a)",
        "Table 2",
        "Equation 1",
        "verdict with-conditions",
        "<math",
        "to be {{",
    ):
        assert text in page
    assert b"/Outlines" in done.pdf.read_bytes()
    assert not any("crossref" in message for message in done.messages)
