"""Does a claim get the one outcome that its rules' verdicts allow, and a headline that some cell has?"""

import math

import pytest

from seqlab.analysis.combined import combine, combined_outcome, middle
from seqlab.notebook.claims import Cell, Difference, Outcome, Verdict

RULE = Difference(metric="accuracy", left={"model": "a"}, right={"model": "b"}, above=0.05)
HELD, MIXED, SAME, FELL, OPEN, NONE = Outcome


def cell(estimate: float, decision: str = "pass", *, equivalent: bool = False) -> Cell:
    return Cell({}, estimate, estimate - 0.01, estimate + 0.01, 5, decision, equivalent=equivalent)  # type: ignore[arg-type]


def verdict(outcome: Outcome, *cells: Cell, page: str = "rnn") -> Verdict:
    return Verdict("C01", page, outcome, RULE, "It holds.", "why", cells=cells)


@pytest.mark.parametrize(
    ("outcomes", "together"),
    [
        ([], NONE),
        ([NONE, NONE], NONE),
        ([NONE, OPEN], OPEN),
        ([HELD], HELD),
        ([HELD, HELD], HELD),
        ([HELD, OPEN], OPEN),  # missing evidence never supports
        ([HELD, NONE], OPEN),
        ([FELL, OPEN], FELL),  # nor does it undo a failure
        ([FELL, NONE], FELL),
        ([SAME, SAME], SAME),
        ([SAME, FELL], FELL),
        ([SAME, OPEN], SAME),
        ([HELD, FELL], MIXED),
        ([HELD, SAME, OPEN], MIXED),
        ([MIXED, HELD], MIXED),
        ([MIXED, FELL, NONE], MIXED),
    ],
)
def test_the_rules_of_a_claim_have_one_outcome(outcomes: list[Outcome], together: Outcome) -> None:
    assert combined_outcome(outcomes) is together
    assert combined_outcome(outcomes[::-1]) is together


def test_what_is_open_is_named_beside_the_outcome() -> None:
    found = combine(
        [verdict(FELL, cell(-0.2, "fail")), verdict(OPEN, page="vit"), verdict(NONE, page="code")]
    )
    assert found.outcome is FELL
    assert [one.experiment for one in found.open] == ["vit", "code"]
    assert found.pages == ("rnn", "vit", "code")


def test_a_headline_is_the_effect_of_a_cell_that_made_the_outcome() -> None:
    cells = [
        cell(-0.3, "fail"),
        cell(-0.1, "fail"),
        cell(-0.2, "fail"),
        cell(0.04, "open"),
        cell(-0.4, "fail"),
    ]
    (headline,) = combine([verdict(FELL, *cells)]).headlines
    assert headline.cell.estimate == -0.2
    assert len(headline.alike) == 4


def test_a_claim_that_holds_here_and_fails_there_has_a_headline_of_each() -> None:
    held, fell = combine([verdict(HELD, cell(0.2)), verdict(FELL, cell(-0.3, "fail"), page="vit")]).headlines
    assert (held.cell.estimate, fell.cell.estimate) == (0.2, -0.3)
    assert fell.verdict.experiment == "vit"
    both = verdict(MIXED, cell(0.1), cell(-0.1, "fail"), cell(0.05, "open"))
    assert [one.cell.estimate for one in combine([both]).headlines] == [0.1, -0.1]


def test_equivalence_shows_what_was_found_equal() -> None:
    found = combine([verdict(SAME, cell(0.5, "open"), cell(0.0, "fail", equivalent=True))])
    assert [one.cell.estimate for one in found.headlines] == [0.0]


def test_without_a_number_there_is_no_headline() -> None:
    assert combine([verdict(NONE)]).headlines == ()
    assert combine([verdict(OPEN, cell(math.nan, "open"))]).headlines == ()


def test_of_two_in_the_middle_the_one_nearer_to_the_threshold_is_told() -> None:
    chosen = middle([cell(0.3), cell(0.1), cell(0.2), cell(0.4)], RULE)
    assert chosen is not None
    assert chosen.estimate == 0.2
