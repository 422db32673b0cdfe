"""Is a rule refused that cannot pass or cannot fail, and no rule that can?"""

from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.errors import UsageError
from seqlab.notebook.claims import Claim, Difference, Exact, Ratio, Rule, Slope
from seqlab.notebook.decidable import check_decidable, undecidable
from seqlab.notebook.discover import discover
from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.ledger import read

ROOT = Path(__file__).parents[2]
POINTS = grid(model=("A", "B"), length=(16, 64), seeds=5)
AB = {"left": {"model": "A"}, "right": {"model": "B"}}


def page(rule: Rule, points=POINTS, budget="full") -> Experiment:
    return Experiment(
        run=lambda trial: iter(()), budgets=(Budget(budget, points),), claims=(Claim("C01", rule, "so"),)
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            Difference(metric="accuracy", **AB, above=1),
            "cannot pass, since a difference of accuracy lies betw",
        ),
        (
            Difference(metric="accuracy", **AB, above=-1.0),
            "cannot fail, .* between -1 and 1. Move the thresh",
        ),
        (Difference(metric="accuracy", **AB, below=-1.5), "cannot pass"),
        (Difference(metric="accuracy", **AB, below=1), "cannot fail"),
        (Difference(metric="accuracy", **AB, above=0.1, margin=1.0), "margin of 1 has no outside"),
        (Exact(metric="tokens_agree", above=1), "cannot pass, since tokens_agree lies between 0 and 1"),
        (Exact(metric="tokens_agree", above=-0.1), "cannot fail"),
        (Exact(metric="mse", below=0), "cannot pass, since mse lies between 0 and inf"),
        (Exact(metric="step_time", above=-1e-9), "cannot fail"),
        (Slope(metric="accuracy", x="length", x_scale="log2", above=0.5), "cannot pass.*-0.5 and 0.5"),
        (Slope(metric="accuracy", x="length", below=0.1), "cannot fail"),
        (Slope(metric="accuracy", x="length", per=("length",), below=0.001), "two levels of length, found 1"),
        (
            Slope(metric="accuracy", x="model", below=0.001),
            "over model needs numbers as its levels, found 'A'",
        ),
        (Difference(metric="loss", left={"model": "A"}, right={"model": "A"}, below=0), "the same points"),
        (Difference(metric="loss", **AB, where={"length": 32}, below=0), "no points with length=32"),
        (Difference(metric="loss", **AB, seeds=10, below=0), "needs 10 seeds, found 5. Plan more"),
        # Perfect data, all seeds at 1: a kind of seed that none has shown may have a share of 45 %.
        (Difference(metric="accuracy", **AB, above=0.6), "cannot pass even if all 5 seeds gave 1.*0.078"),
        (Difference(metric="accuracy", **AB, below=-0.6), "cannot pass even if all 5 seeds gave -1"),
        (Difference(metric="accuracy", **AB, above=-0.6), "cannot fail even if all 5 seeds gave -1"),
    ],
)
def test_a_rule_that_comes_out_one_way_is_refused(rule: Rule, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        check_decidable(page(rule))
    if "over model" not in words:
        assert str(caught.value).startswith(f"C01, {type(rule).__name__} of {rule.metric}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "rule",
    [
        Difference(metric="accuracy", **AB, above=0.4),
        Difference(metric="accuracy", **AB, above=-0.01, margin=0.01),
        Difference(metric="mean_success", **AB, above=1.5),  # one may do worse than chance, without end
        Difference(metric="loss", **AB, below=-50),
        Ratio(metric="step_time", **AB, below=1e-6, margin=5.0),
        Exact(metric="tokens_agree", above=0.999),
        Exact(metric="mse", below=1e-9),
        Exact(metric="sequential_operations", above=0),  # an operation count of 0 fails
        Slope(metric="accuracy", x="length", x_scale="log2", above=0.2),
        Slope(metric="accuracy", x="length", y_scale="log10", above=5),
    ],
)
def test_a_rule_that_can_come_out_both_ways_is_accepted(rule: Rule) -> None:
    check_decidable(page(rule))


def test_sides_that_nothing_can_pair_are_refused_unless_the_rule_says_that_they_differ() -> None:
    """A property of models is never compared at the same model."""
    points = grid(model="A", access="fixed", seeds=5) + grid(model="B", access="by content", seeds=5)
    sides = {"left": {"access": "fixed"}, "right": {"access": "by content"}}
    rule = Difference(metric="accuracy", **sides, above=0.1)
    said = "no planned points of left and right have the same model, .*Name model in the sides, or in differ="
    with pytest.raises(UsageError, match=said):
        check_decidable(page(rule, points))
    apart = replace(rule, differ=("model",))
    check_decidable(page(apart, points))
    assert apart.digest() != rule.digest()
    assert replace(apart, differ=()).digest() == rule.digest()


def test_many_cells_need_more_seeds() -> None:
    """Holm's correction: 40 cells, of which 32 make a verdict."""
    rule = Difference(metric="accuracy", **AB, per=("length",), above=0.3)
    few, many = (grid(model=("A", "B"), length=range(40), seeds=seeds) for seeds in (5, 10))
    assert "p would be 0.078 over 32 cells" in undecidable(rule, few)
    assert undecidable(rule, many) == ""


def test_a_side_without_seeds_counts_as_often_as_the_other() -> None:
    rule = Difference(metric="accuracy", **AB, above=0.1)
    once = grid(model="B", length=(16, 64))
    assert undecidable(rule, grid(model="A", length=(16, 64), seeds=5) + once) == ""
    assert "needs 5 seeds, found 1" in undecidable(rule, grid(model="A", length=(16, 64)) + once)


def test_a_measured_time_has_noise_even_where_no_seeds_are_planned() -> None:
    rule = Ratio(metric="step_time", **AB, below=0.5)
    planned = grid(model="A", seeds=5) + grid(model="B")
    assert "needs 5 seeds, found 1" in undecidable(rule, planned)


def test_the_smoke_budget_decides_nothing_and_is_not_asked() -> None:
    rule = Difference(metric="accuracy", **AB, above=0.1)
    check_decidable(page(rule, grid(model=("A", "B"), seeds=2), "smoke"))
    with pytest.raises(UsageError, match="needs 5 seeds, found 2"):
        check_decidable(page(rule, grid(model=("A", "B"), seeds=2)))


def test_every_rule_of_the_project_can_come_out_both_ways() -> None:
    """Checked at `full`; at `quick`, those that compare nothing there are the pages' own choice."""
    pages = discover(ROOT / "experiments", read(ROOT / "report" / "claims.toml"))
    assert not pages.broken
    found = {
        (name, claim.id): fault
        for name, page in pages.experiments.items()
        for claim in page.claims
        if (fault := undecidable(claim.rule, page.budget("quick").points))
    }
    assert set(found) <= {("distance", "C03"), ("recall", "C26")}
    assert all(fault.startswith("no points") for fault in found.values())
