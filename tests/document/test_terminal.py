"""Does the terminal print an effect with its interval, or the reason why there is none?"""

from pathlib import Path

import pytest

from seqlab.analysis.findings import PageFindings
from seqlab.analysis.verdicts import judge
from seqlab.document.terminal import print_findings
from seqlab.notebook.claims import Difference
from seqlab.store.database import Store
from tests.analysis.planted import FAIR, Done, evidence, planted_page, trials

RULE = Difference(metric="accuracy", split="test", left={"model": "A"}, right={"model": "B"}, above=0.05)


def printed(capsys: pytest.CaptureFixture[str], folder: Path, *, seeds: int) -> str:
    """The terminal's output for a page whose model A scores 0.5 above B, with small differences by seed."""
    done = [
        Done({"model": model}, seed, FAIR | {"accuracy@test": score})
        for seed in range(seeds)
        for model, score in (("A", 0.9 + seed / 100), ("B", 0.4))
    ]
    page, found = planted_page(RULE, points=done), evidence(done)
    with Store(folder / "seqlab.db") as store:
        print_findings([PageFindings(page, found, judge(page, found, trials(done)))], store, results=folder)
    return capsys.readouterr().out


def test_an_effect_comes_with_its_interval_and_its_seeds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shown = printed(capsys, tmp_path, seeds=5)
    assert "C00: supported" in shown
    assert "Effect 0.52 [0.49, 0.55]" in shown
    assert "n = 5." in shown


def test_one_seed_has_no_interval(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = printed(capsys, tmp_path, seeds=1)
    assert "C00: inconclusive" in shown
    assert "Too few seeds: 1" in shown
    assert "Effect" not in shown
