"""Is what a trial reads recorded, and what is no input of it left out?"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import HERE

# A process of its own: an audit hook cannot be taken away again.
RECORD = """
import json, sys
from pathlib import Path
from seqlab.running.fingerprint import Fingerprints
from seqlab.running.identity.recorder import Recorder
from seqlab.notebook.discover import load
from seqlab.notebook.experiment import Trial

page = Path(sys.argv[1])
recorder = Recorder(page, Fingerprints().files(page), page.parents[1] / "kept")
experiment = load(page)
recorder.look()
list(experiment.run(Trial("page", {"model": "LSTM"}, 0, "smoke", {})))
print(json.dumps(dict(recorder.used())))
"""
PAGE = '''"""What does it use?"""

import os, sqlite3, sys, sysconfig, tempfile, warnings
from pathlib import Path

from seqlab.notebook.experiment import Budget, Experiment, grid

ROOT = Path(__file__).parents[1]


def run(trial):
    BODY
    yield from ()


experiment = Experiment(run=run, budgets=(Budget("smoke", grid(model="LSTM")),))
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a few files."""
    for folder in ("experiments", "data", "kept", "results", ".hidden"):
        (tmp_path / folder).mkdir()
    for name in ("data/a.txt", "data/b.txt", "kept/c.txt", "results/d.txt", ".hidden/e.txt", ".env"):
        (tmp_path / name).write_text("text")
    (tmp_path / "experiments/_late.py").write_text("LIFT = 1\n")
    return tmp_path


def used(root: Path, body: str) -> dict[str, str]:
    """What a trial with this body uses, apart from Seqlab and the page."""
    page = root / "experiments/page.py"
    page.write_text(PAGE.replace("BODY", body))
    done = subprocess.run(
        [sys.executable, "-c", RECORD, str(page)], cwd=root, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{root}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    assert found.pop("experiments/page.py").startswith("code ")
    found.pop("package numpy", None)
    return {name: value.split()[0] for name, value in found.items() if not name.startswith("seqlab/")}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("(ROOT / 'data/a.txt').read_text()", {"data/a.txt": "bytes"}),
        ("open('data/a.txt').close(), os.close(os.open('data/b.txt', os.O_RDONLY))",
         {"data/a.txt": "bytes", "data/b.txt": "bytes"}),
        ("open('.env').close()", {".env": "bytes"}),
        ("(ROOT / 'data').exists() and list((ROOT / 'data').iterdir())", {"data": "names"}),
        ("sqlite3.connect(ROOT / 'data/a.txt').close()", {"data/a.txt": "bytes"}),
        ("from experiments._late import LIFT", {"experiments/_late.py": "code"}),
        ("exec((ROOT / 'experiments/_late.py').read_text())", {"experiments/_late.py": "bytes"}),
        ("import sklearn", {"package scikit-learn": "", "package scipy": "", "package pandas": ""}),
        ("(Path(sysconfig.get_path('stdlib')) / 'abc.py').read_text()", {"Python": ""}),
        ("import decimal", {}),
        ("open('kept/c.txt').close(), open('results/d.txt').close(), open('.hidden/e.txt').close()", {}),
        ("tempfile.TemporaryFile().close(), open('/proc/self/stat').read(), open(os.devnull).close()", {}),
        ("(ROOT / 'made.txt').write_text('1'), (ROOT / 'made.txt').read_text()", {}),
        ("(ROOT / 'data/new.txt').write_text('1'), os.listdir(ROOT / 'data')", {}),
        ("warnings.warn('shows this line, which reads the page')", {}),
        ("os.path.exists(ROOT / 'data/a.txt')", {}),
    ],
)  # fmt: skip
def test_what_is_recorded(root: Path, body: str, expected: dict[str, str]) -> None:
    found = used(root, body)
    assert found.keys() == expected.keys() | ({"package pandas"} & found.keys())
    assert all(found[name] == kind for name, kind in expected.items() if kind)


def test_a_file_that_is_not_there_is_recorded_as_such(root: Path) -> None:
    body = "os.path.exists('x') or [open(name) for name in ('data/none.txt',) if os.access('.', 0)]"
    page_reads = f"try:\n        {body}\n    except FileNotFoundError:\n        pass"
    assert used(root, page_reads) == {"data/none.txt": "absent"}


def test_a_file_that_changes_while_the_trial_reads_it_is_doubtful(root: Path) -> None:
    body = "open('data/a.txt').close(), os.system('echo other > data/a.txt'), open('data/a.txt').close()"
    assert used(root, body) == {"data/a.txt": "changed"}


def test_a_module_that_is_edited_after_it_was_loaded_is_doubtful(root: Path) -> None:
    edit = "os.system(f'echo LIFT = 2 > {ROOT}/experiments/_late.py')"
    assert used(root, f"from experiments._late import LIFT; {edit}") == {"experiments/_late.py": "changed"}
