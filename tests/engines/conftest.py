"""A project folder for each test, and a Quarto that is not one."""

import sys
from pathlib import Path

import pytest

from tests.engines.sample import write_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The sample project, its own for each test."""
    return write_project(tmp_path / "project")


STAND_IN = """#!{python}
import os, subprocess, sys, time
from pathlib import Path

arguments = sys.argv[1:]
behaviour = os.environ.get("STAND_IN", "")
if arguments == ["--version"]:
    print(os.environ.get("STAND_IN_VERSION", "1.9.36"))
    sys.exit(0)
if sys.stdin.read():
    sys.exit("expected a closed standard input")
if arguments[:3] != ["render", "report.qmd", "--to"] or arguments[3:] not in (["html"], ["typst"]):
    print(f"error: Unknown arguments {{arguments}}.", file=sys.stderr)
    sys.exit(2)
if not os.environ.get("QUARTO_PYTHON") or not os.environ.get("NO_COLOR"):
    sys.exit("expected QUARTO_PYTHON and NO_COLOR")
if not Path("report.qmd").is_file():
    print("ERROR: No valid input files passed to render", file=sys.stderr)
    sys.exit(1)
front = Path("report.qmd").read_text().split("---")[1]
if "title: [" in front:
    print("ERROR: YAMLException: unexpected end of the stream within a flow collection", file=sys.stderr)
    sys.exit(1)
if behaviour == "hang":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path("child.pid").write_text(str(child.pid))
    time.sleep(600)
if behaviour == "silent":
    sys.exit(0)
out = Path("_output")
out.mkdir(exist_ok=True)
html = arguments[3] == "html"
(out / ("report.html" if html else "report.pdf")).write_bytes(b"<html>" if html else b"%PDF-1.7")
print("WARNING: Unable to resolve crossref @fig-x", file=sys.stderr)
print(f"Output created: _output/report.{{'html' if html else 'pdf'}}", file=sys.stderr)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An executable that checks its arguments as strictly as Quarto does, found by QUARTO_PATH."""
    path = tmp_path / "bin" / "quarto"
    path.parent.mkdir()
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("QUARTO_PATH", str(path))
    return path
