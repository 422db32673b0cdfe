"""Does a shell complete what the command line takes, and the names of this project?"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.__main__ import main, parser
from seqlab.commands.completion import SHELLS, script

ROOT = Path(__file__).parents[1]
# What bash does when TAB is pressed after these words.
PRESSED = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
complete -p seqlab > /dev/null || exit 1
_shtab_seqlab seqlab "${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("shtab")
    file = tmp_path_factory.mktemp("completion") / "seqlab.bash"
    file.write_text(script(parser(), "bash"))
    return file


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["rep"], {"report"}),
        (["report", "--eng"], {"--engine"}),
        (["report", "--engine", "emb"], {"embedded"}),
        (["run", "vi"], {"vit"}),
        (["report", "--only", "thr"], {"throughput"}),
        (["show", "C1"], {f"C1{digit}" for digit in range(10)}),
        (["run", "C1"], set()),
        (["completion", "fi"], {"fish"}),
    ],
)
def test_bash_completes_commands_options_and_names(bash: Path, typed: list[str], found: set[str]) -> None:
    done = subprocess.run(
        ["bash", "-c", PRESSED, "bash", str(bash), "seqlab", *typed],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert set(done.stdout.split()) == found


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    told = capsys.readouterr().out
    assert "seqlab" in told
    assert "calibrate" in told


def test_without_shtab_a_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install shtab" in capsys.readouterr().err


def test_no_other_command_needs_it() -> None:
    code = "import sys; from seqlab.__main__ import main; main(['list']); sys.exit('shtab' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=120, check=True)
