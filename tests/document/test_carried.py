"""Does the front page tell what each property of a Transformer changes, and only when all are decided?"""

from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.analysis.combined import combine
from seqlab.document.carried import carried
from seqlab.document.outline import Property, read
from seqlab.notebook.claims import Cell, Outcome, Ratio, Verdict
from tests.project import HERE

PROPERTIES = (
    Property("training in parallel", "page", {"training": "parallel"}),
    Property("reading by content", "page", {"access": "content"}),
)
AT_ONCE, BY_CONTENT = dict(PROPERTIES[0].levels), dict(PROPERTIES[1].levels)


def verdict(rule: Ratio, *estimates: float) -> Verdict:
    cells = tuple(Cell({}, value, value - 0.01, value + 0.01, 5, "fail") for value in estimates)
    return Verdict("C44", "page", Outcome.NOT_SUPPORTED, rule, "It does.", "why", cells=cells)


PARALLEL = verdict(
    Ratio(metric="bits_per_token", left=AT_ONCE, right={"training": "stepwise"}, below=0.98), 0.98, 1.031
)
CONTENT = verdict(  # the property is on the right-hand side
    Ratio(metric="bits_per_token", left={"access": "fixed"}, right=BY_CONTENT, below=1.02), 1.0, 1.25
)


def test_the_change_is_that_of_networks_with_the_property_over_those_without() -> None:
    first, second = carried({"C44": combine([CONTENT, PARALLEL])}, PROPERTIES)
    assert (first.name, first.metric, first.told) == ("training in parallel", "bits per token", "−2 to 3 %")
    assert (second.name, second.told) == ("reading by content", "−20 to 0 %")
    same = verdict(PARALLEL.rule, 0.951, 0.949)  # type: ignore[arg-type]
    assert carried({"C44": combine([same])}, PROPERTIES[:1])[0].told == "−5 %"


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTENT, outcome=Outcome.INCONCLUSIVE),
        replace(CONTENT, cells=()),
        replace(CONTENT, experiment="elsewhere"),
        replace(CONTENT, rule=replace(CONTENT.rule, right={"access": "both"})),  # type: ignore[arg-type]
    ],
)
def test_none_is_told_where_one_is_not_decided(other: Verdict) -> None:
    assert carried({"C44": combine([PARALLEL, other])}, PROPERTIES) == ()


def test_every_property_of_the_outline_is_one_side_of_a_rule_of_its_page() -> None:
    from experiments.properties import experiment

    outline = read(Path(HERE) / "report")
    assert len(outline.properties) == 3
    for asked in outline.properties:
        assert asked.page == "properties"
        rules = [
            claim.rule for claim in experiment.claims if dict(asked.levels) in map(dict, claim.rule.sides)
        ]
        assert len(rules) == 1
