"""Are sides that name a property of models paired, although their models differ?"""

from dataclasses import replace

import pytest

from seqlab.analysis.verdicts import judge
from seqlab.notebook.claims import Difference, Outcome
from tests.analysis.planted import FAIR, Done, evidence, planted_page, trials

RULE = Difference(
    metric="accuracy", split="test", per=("task",), left={"access": "by content"},
    right={"access": "fixed"}, above=0.1, finished=False, differ=("model",),
)  # fmt: skip
DONE = [
    Done(
        {"task": task, "model": model, "access": access}, seed, {"accuracy@test": score + seed / 100, **FAIR}
    )
    for task in ("code", "plays")
    for model, access, score in (("Transformer", "by content", 0.8), ("LSTM", "fixed", 0.4))
    for seed in range(5)
]


def test_models_differ_where_the_rule_says_so_and_all_else_is_equal() -> None:
    (found,) = judge(planted_page(RULE, points=DONE), evidence(DONE), trials(DONE))
    assert found.outcome is Outcome.SUPPORTED
    assert [cell.estimate for cell in found.cells] == pytest.approx([0.4, 0.4])

    strict = replace(RULE, differ=())
    (found,) = judge(planted_page(strict, points=DONE), evidence(DONE), trials(DONE))
    assert found.outcome is Outcome.NOT_TESTED
    assert "no seed has accuracy on both sides" in found.reason
