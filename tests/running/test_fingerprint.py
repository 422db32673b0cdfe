"""Does only a change that may change results change the fingerprint?"""

from pathlib import Path

import pytest

from seqlab.running.fingerprint import Fingerprints

fingerprint = Fingerprints().of

PAGE = '''"""A page."""
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.models import lstm

STEPS = 5

def run(trial):
    """Train."""
    # a comment
    yield trial, STEPS, lstm

experiment = Experiment(run=run, budgets=(), claims=(1,))
'''


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.py"
    path.write_text(PAGE)
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another comment, longer"),
        ('"""Train."""', '"""Train for a while."""'),
        ('"""A page."""', '"""Another title.\n\nAnd prose.\n"""'),
        ("    yield trial, STEPS", "\n\n    yield (trial),\\\n           STEPS"),
        ("claims=(1,)", "claims=(1, 2)"),
        ("import Experiment, Trial", "import Trial, Budget, Experiment"),
        ("from seqlab.models import lstm", "import json\nfrom seqlab.models import lstm, gru"),
        ("run=run,", "run=run, parallel_over=(), precise=False,"),
        ("STEPS = 5", "STEPS = 0x5"),
    ],
)
def test_a_cosmetic_edit_keeps_the_fingerprint(page: Path, old: str, new: str) -> None:
    before = fingerprint(page)
    assert old in PAGE
    page.write_text(PAGE.replace(old, new))
    assert fingerprint(page) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("STEPS = 5", "STEPS = 6"),
        ("yield trial, STEPS", "yield STEPS, trial"),
        ("import lstm", "import gru as lstm"),
        ("run=run,", 'run=run, parallel_over=("model",),'),
        ("run=run,", "run=run, precise=True,"),
        ("experiment = ", "experiment = None or "),
        ("budgets=()", "budgets=(STEPS := ())"),
        ("Experiment(run=run,", "Experiment(run=lambda trial: run(trial),"),
    ],
)
def test_an_edit_that_may_change_results_changes_it(page: Path, old: str, new: str) -> None:
    before = fingerprint(page)
    page.write_text(PAGE.replace(old, new))
    assert fingerprint(page) != before


def test_what_is_run_counts_without_its_name_too(page: Path) -> None:
    page.write_text(PAGE.replace("run=run,", "run,"))
    before = fingerprint(page)
    page.write_text(PAGE.replace("run=run,", "print,"))
    assert fingerprint(page) != before


def test_imported_modules_count_and_rules_do_not(page: Path) -> None:
    package = page.parent / "package"
    for room in ("models", "notebook"):
        (package / room).mkdir(parents=True)
    for name, text in {
        "models/__init__.py": "",
        "models/lstm.py": "from seqlab.models import parts\nfrom seqlab.notebook import claims\nA = parts\n",
        "models/parts.py": "B = 1\n", "notebook/experiment.py": "C = 1\n", "notebook/claims.py": "D = 1\n",
    }.items():  # fmt: skip
        (package / name).write_text(text)

    def now() -> str:
        return Fingerprints(package=package).of(page)

    before = now()
    (package / "notebook/claims.py").write_text("D = 2\n")
    assert now() == before
    seen = {before}
    for name in ("models/parts.py", "models/__init__.py", "notebook/experiment.py"):
        (package / name).write_text("B = 2\n")
        assert now() not in seen
        seen.add(now())


def test_kept_digests_give_the_same_fingerprint_and_are_never_stale(page: Path) -> None:
    file = page.parent / "kept.json"
    first = Fingerprints(file)
    before = first.of(page)
    first.keep()
    assert before == fingerprint(page)
    kept = Fingerprints(file)
    assert kept.of(page) == before
    page.write_text(PAGE.replace("STEPS = 5", "STEPS = 6"))
    assert kept.of(page) == fingerprint(page) != before


def test_damaged_digests_are_computed_again(page: Path) -> None:
    file = page.parent / "kept.json"
    for text in ("{", "[]", "null", '{"x": 1}', '{"x": ["digest", 1]}'):
        file.write_text(text)
        assert Fingerprints(file).of(page) == fingerprint(page)
