"""Do the words for an effect tell its size, its direction, in how many cells, and what was claimed?"""

import pytest

from seqlab.analysis.combined import combine
from seqlab.document.measured import claimed, evidence, measured, not_run, plain_levels, summary, unsettled
from seqlab.notebook.claims import Cell, Difference, Exact, Origin, Outcome, Ratio, Rule, Slope, Verdict

MORE = Difference(
    metric="accuracy", left={"model": "Transformer"}, right=({"model": "CNN"}, {"model": "LSTM"}), above=0.01
)
FASTER = Ratio(
    metric="token_time",
    left={"model": "Transformer"},
    right=tuple({"model": name} for name in ("RNN", "LSTM", "GRU")),
    below=2 / 3,
)
WAITING = Slope(metric="sequential_operations", x="length", above=0.99, seeds=1)
ONE = Exact(metric="sequential_operations", below=1.5)
READ = Exact(metric="relative_difference", below=0.05)


def cell(estimate: float, decision: str = "fail", *, spread: float = 0.0, opponent: str = "") -> Cell:
    return Cell({}, estimate, estimate - spread, estimate + spread, 5, decision, opponent=opponent)  # type: ignore[arg-type]


def verdict(rule: Rule, outcome: Outcome, *cells: Cell, page: str = "rnn") -> Verdict:
    return Verdict("C01", page, outcome, rule, "It holds.", "why", cells=cells)


TOLD = (
    (
        verdict(FASTER, Outcome.NOT_SUPPORTED, cell(13.2), cell(1.41), cell(2.0)),
        "Transformer: 1.4 to 13 times the time per token of the best of 3 others, in 3 of 3 cells",
        "(claimed: at most 0.667 times)",
    ),
    (
        verdict(MORE, Outcome.NOT_SUPPORTED, cell(-0.15, spread=0.02, opponent="CNN")),
        "Transformer: accuracy 15 percentage points lower than CNN, the best of 2",
        "(95 % interval −17.0 to −13.0; claimed: at least 1 percentage point higher)",
    ),
    (
        verdict(MORE, Outcome.INCONCLUSIVE, cell(-0.02, "open"), cell(0.03, "open")),
        (
            "Transformer: accuracy from 2 percentage points lower to 3 percentage points higher than the "
            "better of CNN and LSTM, over 2 cells"
        ),
        "(claimed: at least 1 percentage point higher)",
    ),
    (
        verdict(WAITING, Outcome.SUPPORTED, cell(2.0, "pass"), cell(7.0, "pass")),
        "Sequential operations: +2 to +7 for each token, in 2 of 2 cells",
        "(claimed: above +0.99 for each token)",
    ),
    (verdict(ONE, Outcome.NOT_SUPPORTED, cell(58)), "Sequential operations: 58", "(claimed: below 1.5)"),
    (
        verdict(READ, Outcome.NOT_SUPPORTED, cell(1.0), cell(0.25)),
        "Published figures differ from the article's by 25 to 100 %, in 2 of 2 cells",
        "(claimed: within 5 %)",
    ),
    (
        verdict(READ, Outcome.SUPPORTED, cell(0.0, "pass")),
        "Published figures agree with the article's",
        "(claimed: within 5 %)",
    ),
)


@pytest.mark.parametrize(("found", "effect", "asked"), TOLD)
def test_an_effect_is_told_with_size_and_direction(found: Verdict, effect: str, asked: str) -> None:
    assert measured(found) == f"{effect} {asked}"


def test_nothing_is_told_of_what_was_not_measured() -> None:
    assert measured(verdict(ONE, Outcome.NOT_TESTED)) == ""


def test_what_is_claimed_is_told_from_its_side() -> None:
    less = Difference(metric="loss", left={"model": "a"}, right={"model": "b"}, below=-0.02)
    assert claimed(less) == "at least 0.02 nat lower"
    assert claimed(Difference(metric="loss", left={"model": "a"}, right={"model": "b"}, below=0.01)) == (
        "less than 0.01 nat higher"
    )


def test_a_unit_that_stands_in_a_title_is_told() -> None:
    slope = Difference(
        metric="gradient_slope", left={"model": "Transformer"}, right={"model": "LSTM"}, above=2.0
    )
    assert measured(verdict(slope, Outcome.NOT_SUPPORTED, cell(-1.5))) == (
        "Transformer: change in gradient norm over 100 steps, from distance 1: 1.5 orders of magnitude lower "
        "than LSTM (claimed: at least 2 orders of magnitude higher)"
    )


def test_a_mixed_claim_says_where_it_holds_and_where_it_fails() -> None:
    both = combine(
        [
            verdict(ONE, Outcome.SUPPORTED, cell(1, "pass")),
            verdict(FASTER, Outcome.NOT_SUPPORTED, cell(3), page="decoding"),
            verdict(MORE, Outcome.INCONCLUSIVE, page="vit"),
            verdict(MORE, Outcome.NOT_TESTED, page="code"),
        ]
    )
    told = summary(both)
    assert told.startswith(
        "It holds here: Sequential operations: 1 (claimed: below 1.5). It fails here: Transf"
    )
    assert unsettled(both, {"vit": "Images"}) == "undecided: Images; not tested: code"
    assert unsettled(combine([verdict(ONE, Outcome.NOT_TESTED)]), {}) == ""
    assert (
        unsettled(combine([held := verdict(ONE, Outcome.SUPPORTED), verdict(ONE, Outcome.NOT_TESTED)]), {})
        == ""
    )
    assert unsettled(combine([held, verdict(ONE, Outcome.NOT_TESTED, page="vit")]), {}) == "not tested: vit"


def test_a_claim_of_which_a_part_is_untested_says_what_holds_and_what_is_lacking() -> None:
    held = verdict(MORE, Outcome.SUPPORTED, cell(0.51, "pass", spread=0.02, opponent="CNN"))
    found = combine([held, verdict(ONE, Outcome.NOT_TESTED), verdict(READ, Outcome.NOT_TESTED)])
    assert found.outcome is Outcome.INCONCLUSIVE
    assert summary(found) == (
        "It holds so far: Transformer: accuracy 51 percentage points higher than CNN, the best of 2 "
        "(95 % interval 49.0 to 53.0; claimed: at least 1 percentage point higher). 2 of 3 rules not tested"
    )


def test_what_has_only_not_run_is_told_from_what_failed() -> None:
    def untested(reason: str) -> bool:
        return not_run(combine([Verdict("C01", "rnn", Outcome.NOT_TESTED, ONE, "It holds.", reason)]))

    assert untested("Missing: length=16: no good run of model=RNN (5 not run)")
    assert not untested("Missing: length=16: no good run of model=RNN (1 failed, 4 not run)")
    assert not untested("No trial was planned that this rule compares.")


def test_evidence_says_where_a_number_comes_from() -> None:
    assert evidence(combine([verdict(FASTER, Outcome.NOT_SUPPORTED, cell(3))])) == "n = 5, here"
    there = Origin(seeds=5, device="cpu", date="2026-12-01")
    found = Verdict("C01", "rnn", Outcome.NOT_SUPPORTED, MORE, "s", "r", cells=(cell(-1),), origin=there)
    assert evidence(combine([found])) == "n = 5, reference"
    assert evidence(combine([verdict(READ, Outcome.SUPPORTED, cell(0.0, "pass"))])) == "published figures"
    assert evidence(combine([verdict(ONE, Outcome.SUPPORTED, cell(1, "pass"))])) == "counted here"


def test_levels_are_words() -> None:
    assert plain_levels({"both_ways": False, "share": 2 / 3, "model": "LSTM", "part": "x"}) == (
        "both ways: no, share 2/3, LSTM"
    )
