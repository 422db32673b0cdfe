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

pages = [Path(name) for name in sys.argv[1:]]
recorder = Recorder(Fingerprints().files(pages[0]), pages[0].parents[1] / "kept")
found = []
for page in pages:
    recorder.begin(page)
    experiment = load(page)
    recorder.look()
    list(experiment.run(Trial("page", {"model": "LSTM"}, 0, "smoke", {})))
    found.append(dict(recorder.end()))
print(json.dumps(found))
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


def used(root: Path, *bodies: str) -> dict[str, str]:
    """What a trial with the last of these bodies uses, apart from Seqlab, after trials of the others."""
    pages = []
    for number, body in enumerate(bodies):
        pages.append(root / f"experiments/page{number}.py")
        pages[-1].write_text(PAGE.replace("BODY", body))
    command = [sys.executable, "-c", RECORD, *map(str, pages)]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{root}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)[-1]
    assert found.pop(f"experiments/{pages[-1].name}").startswith("code ")
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


READER = """
from functools import cache
from experiments._late import LIFT

@cache
def text(name):
    return open(name).read()
"""


def test_what_another_page_used_in_the_same_process_does_not_count(root: Path) -> None:
    (root / "experiments/_reader.py").write_text(READER)
    other = "import sklearn; from experiments import _reader; open('data/a.txt').close(); "
    other += "_reader.text('data/b.txt'); (Path(sysconfig.get_path('stdlib')) / 'abc.py').read_text()"
    assert used(root, other, "import decimal") == {}
    assert used(root, other, "from experiments._late import LIFT") == {"experiments/_late.py": "code"}


def test_what_a_module_has_kept_from_another_page_counts(root: Path) -> None:
    (root / "experiments/_reader.py").write_text(READER)
    first = "from experiments import _reader; _reader.text('data/a.txt')"
    both = {"experiments/_late.py": "code", "experiments/_reader.py": "code", "data/a.txt": "bytes"}
    assert used(root, first, first) == both
    loaded = "import importlib; importlib.import_module('experiments.' + '_reader').text('data/a.txt')"
    assert used(root, first, loaded) == both
    assert "package statsmodels" not in used(
        root, "import statsmodels.tsa.statespace.kalman_filter", "from sklearn import linear_model"
    )
    assert used(root, "import sklearn", "from sklearn import base").keys() >= {
        "package scikit-learn",
        "package scipy",
    }


def test_rates_that_another_page_has_read_count_only_for_who_imports_it(root: Path) -> None:
    (root / "experiments/rates").mkdir()
    (root / "experiments/rates/page0.csv").write_text("settings,rate,score\n")
    asks = "from seqlab.training.tried import TriedRates; TriedRates.beside(__file__).rows"
    read = {"experiments/rates/page0.csv": "bytes"}
    assert used(root, asks) == read
    assert used(root, asks, asks) == {"experiments/rates/page1.csv": "absent"}
    imported = used(root, asks, f"from experiments import page0; {asks}")
    assert imported.items() >= read.items()


def test_what_a_trial_has_written_for_another_page_counts(root: Path) -> None:
    written = "(ROOT / 'data/a.txt').write_text('by the first')"
    assert used(root, written, "open('data/a.txt').close()") == {"data/a.txt": "bytes"}
