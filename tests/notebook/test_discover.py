"""Is a page read as written, and a wrong one refused with one clear line?"""

import os
from functools import partial
from pathlib import Path

import pytest

from seqlab.errors import UsageError
from seqlab.notebook.bounded import bounded
from seqlab.notebook.discover import discover

GOOD = '''"""Does it work?

Prose of
two lines.
"""
from seqlab.notebook.claims import Claim, Exact
from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.figures import Curve, Table
from seqlab.notebook.metrics import Measurement

def run(trial):
    yield Measurement("loss", 0.0)

experiment = Experiment(
    run=run,
    budgets=(Budget("smoke", grid(model=("LSTM", "RNN"), length=(1, 2))),),
    claims=(Claim("C01", Exact(metric="loss", per=("model",), below=1.0), "It is below one."),),
    figures=(
        Curve(x="length", y="loss", hue="model", caption="A curve."),
        Table(rows=("model",), metrics=("loss",), caption="A table."),
    ),
)
'''


def read(folder: Path, **pages: str) -> tuple[list[str], dict[str, str]]:
    for name, text in pages.items():
        (folder / f"{name}.py").write_text(text)
    found = discover(folder, {"C01", "C02"})
    return list(found.experiments), dict(found.broken)


def test_name_title_and_prose_come_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    page = discover(tmp_path, {"C01"}).named("good")
    assert (page.name, page.title, page.prose) == ("good", "Does it work?", "Prose of\ntwo lines.")


def test_files_that_start_with_an_underscore_are_no_pages(tmp_path: Path) -> None:
    assert read(tmp_path, good=GOOD, _notes="1/0") == (["good"], {})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"C01"', '"C99"', "unknown claim 'C99'"),
        ('metric="loss"', 'metric="lost"', "unknown metric 'lost'.*Did you mean 'loss'"),
        ('per=("model",)', 'per=("modle",)', "unknown factor 'modle'.*Did you mean 'model'"),
        ('hue="model"', 'hue="mode"', "unknown factor 'mode'"),
        ('metrics=("loss",)', 'metrics=("los",)', "unknown metric 'los'"),
        ("below=1.0", "below=1.0, above=2.0", "needs exactly one of above= and below=, found both"),
        ('"smoke"', '"tiny"', "expected one or more budgets .* found tiny"),
        ('"A curve."', "None", "a caption must be a text of at most .*, found None"),
        ('"A curve."', r"'\ud800'", "a caption must be a text without lone surrogates"),
        ("figures=(", "figures=(3,", "expected figures, found 3"),
        ("figures=(", "figures=3, _=(", "TypeError"),
        ("length=", "seed=", "a factor cannot be called 'seed'"),
        ("length=", "n=", "expected a factor with a name that no table has .* found 'n'. Rename it"),
        ("length=", "estimate=", "found 'estimate'"),
        ("length=(1, 2)", "**{'': (1, 2)}", "expected a name of 1 to 200 printable letters, found ''"),
        ('("LSTM", "RNN")', "(int, float)", "must be a text, a finite number"),
        ("def run(trial):", "raise SystemExit(0)\ndef run(trial):", "SystemExit"),
        ("def run(trial):", "1 / 0\ndef run(trial):", r"ZeroDivisionError.*page.py, line \d+"),
        ("def run(trial):", "def run(trial:", "SyntaxError"),
        ("experiment = Experiment(", "experimental = Experiment(", "must bind `experiment"),
        ('"""Does it work?\n\nProse of\ntwo lines.\n"""', "", "needs a docstring"),
        ("from seqlab.notebook.figures", "from seqlab.figurines", "ModuleNotFoundError"),
        (
            "from seqlab.notebook.figures",
            "import midi_gone\nfrom seqlab.notebook.figures",
            "Install it: `nox -s report`",
        ),
    ],
)
def test_a_wrong_page_fails_alone(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    names, broken = read(tmp_path, good=GOOD, page=GOOD.replace(old, new))
    assert names == ["good"]
    assert list(broken) == ["page"]
    with pytest.raises(UsageError, match=words):
        discover(tmp_path, {"C01"}).named("page")


TWO = (
    'budgets=(Budget("quick", grid(model="RNN", length=1), {quick}), '
    'Budget("full", grid(model="RNN", length=1), {full})),'
)
PROTOCOL = "protocol=dict(steps=9, rate=0.1), " + TWO


@pytest.mark.parametrize(
    ("budgets", "names"),
    [
        (TWO.format(quick={"steps": 5}, full={"steps": 5}), ""),
        (TWO.format(quick={"steps": 5}, full={"steps": 6, "rate": 0.1}), "rate, steps"),
        (TWO.format(quick={"steps": 5}, full={"steps": 5.0}), "steps"),
        (PROTOCOL.format(quick={}, full={"steps": 9}), ""),
        (PROTOCOL.format(quick={}, full={"steps": 8}), "steps"),
        (PROTOCOL.format(quick={"width": 8}, full={"width": 8}), "width"),
    ],
)
def test_quick_and_full_make_trials_in_one_way(tmp_path: Path, budgets: str, names: str) -> None:
    start = GOOD.index("budgets=(")
    page = GOOD[:start] + budgets + GOOD[GOOD.index("\n", start) :]
    names_read, broken = read(tmp_path, page=page)
    if names:
        assert f"the budgets quick and full may not set {names}: how a trial is made" in broken["page"]
    else:
        assert (names_read, broken) == (["page"], {})


def test_smoke_changes_settings_of_the_protocol_and_no_others(tmp_path: Path) -> None:
    start = GOOD.index("budgets=(")
    budgets = 'protocol={"steps": 9}, budgets=(Budget("smoke", grid(model="RNN", length=1), {"stesp": 5}),),'
    _, broken = read(tmp_path, page=GOOD[:start] + budgets + GOOD[GOOD.index("\n", start) :])
    assert "unknown setting of the protocol 'stesp'; known: steps. Did you mean 'steps'?" in broken["page"]


def test_a_name_taken_twice_is_refused(tmp_path: Path) -> None:
    names, broken = read(tmp_path, Vit=GOOD, vit=GOOD)
    assert names == ["Vit"]
    assert "Rename one" in broken["vit"]


def test_an_unknown_page_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "transformer.py").write_text(GOOD)
    with pytest.raises(UsageError, match=r"unknown experiment 'transfomer'.*Did you mean 'transformer'"):
        discover(tmp_path, {"C01"}).named("transfomer")


def test_a_missing_folder_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Run from the project's root"):
        discover(tmp_path / "absent", set())


def test_a_metric_that_no_catalogue_has_is_found_before_anything_trains(tmp_path: Path) -> None:
    wrong = GOOD.replace('Measurement("loss", 0.0)', 'Measurement(\n        "accuracyy", 0.0)')
    names, broken = read(tmp_path, good=GOOD, wrong=wrong)
    assert names == ["good"]
    assert "Did you mean 'accuracy'?" in broken["wrong"]
    assert len(broken["wrong"]) < 200


def test_prose_keeps_its_shape(tmp_path: Path) -> None:
    prose = "Prose.\n\n    - a list\n        - within it\n\n    ```python\n    if x:\n        y\n    ```"
    (tmp_path / "good.py").write_text(GOOD.replace("Prose of\ntwo lines.", f"    {prose}"))
    page = discover(tmp_path, {"C01"}).named("good")
    assert page.prose == prose.replace("\n    ", "\n")


def test_a_page_that_holds_up_or_ends_the_command_is_broken_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.notebook.discover.bounded", partial(bounded, seconds=0.2))
    os.mkfifo(tmp_path / "pipe.py")
    names, broken = read(
        tmp_path,
        good=GOOD,
        hangs="import time\ntime.sleep(600)",
        loops="while True: pass",
        ends="import os\nos._exit(0)",
        wrong="def f(:",
        base="raise BaseException('at the base')",
        mute="raise type('Mute', (Exception,), {'__str__': None})",
    )
    assert names == ["good"]
    assert "hangs.py was not read within 0.2 s" in broken["hangs"]
    assert "loops.py was not read within 0.2 s" in broken["loops"]
    assert "ends.py ends the process while it is read (os._exit(0))" in broken["ends"]
    assert "expected a file pipe.py" in broken["pipe"]
    assert broken["wrong"].endswith("(wrong.py, line 1)")
    assert broken["base"] == "BaseException: at the base (base.py, line 1)"
    assert broken["mute"] == "Mute: (its __str__ raises TypeError) (mute.py, line 1)"


def test_what_editors_and_systems_leave_beside_a_page_is_no_page(tmp_path: Path) -> None:
    (tmp_path / ".#good.py").symlink_to("nobody@nowhere.1")
    (tmp_path / "._good.py").write_bytes(b"\x00\x05\x16\x07")
    assert read(tmp_path, good=GOOD) == (["good"], {})
