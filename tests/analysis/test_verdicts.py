"""Are planted effects found, and are missing, unequal or chance results never taken for one?"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.analysis.verdicts import judge
from seqlab.errors import UsageError
from seqlab.notebook.claims import Claim, Difference, Exact, Outcome, Ratio, Rule, Slope, Verdict
from seqlab.notebook.experiment import Budget, Experiment, grid
from tests.analysis.planted import FAIR, Done, duel, evidence, planted_page, trials, verdict, verdicts

A, B, C = {"model": "A"}, {"model": "B"}, {"model": "C"}
BETTER = Difference(
    metric="accuracy", split="test", left=A, right=B, per=("length",), along="length", above=0.0
)


def noisy(mean, n=5, spread=0.01, seed=0):
    return list(np.random.default_rng([seed, round(1e6 * abs(mean))]).normal(mean, spread, n))


def lengths(effects, **options):
    """A exceeds B by the given effect at each length."""
    right = {length: noisy(0.5, seed=length) for length in effects}
    left = {length: noisy(0.5 + effect, seed=length + 1) for length, effect in effects.items()}
    return duel(left, right, **options)


# Planted effects


def test_a_planted_advantage_is_supported():
    found = verdict(BETTER, lengths({64: 0.2, 128: 0.2, 256: 0.2}))
    assert found.outcome is Outcome.SUPPORTED
    assert found.n == 5
    assert found.low < found.effect < found.high
    assert found.effect == pytest.approx(0.2, abs=0.02)
    assert all(cell.decision == "pass" and cell.opponent == "B" for cell in found.cells)
    assert found.scope == "model A, B; length 64 to 256; cpu (test)"
    assert found.seeds_needed is None


def test_a_planted_disadvantage_is_not_supported():
    found = verdict(BETTER, lengths({64: -0.2, 128: -0.2, 256: -0.2}))
    assert found.outcome is Outcome.NOT_SUPPORTED
    assert found.effect == pytest.approx(-0.2, abs=0.02)


def test_an_advantage_below_the_threshold_is_not_supported():
    rule = Difference(metric="accuracy", split="test", left=A, right=B, per=("length",), above=0.1)
    assert verdict(rule, lengths({64: 0.03})).outcome is Outcome.NOT_SUPPORTED


def test_a_single_cell_has_its_own_interval():
    found = verdict(BETTER, lengths({64: 0.2}))
    assert (found.low, found.high) == (found.cells[0].low, found.cells[0].high)


def test_seeds_beyond_the_last_look_wait_for_the_next_one():
    done = duel({64: noisy(0.7, n=12)}, {64: noisy(0.5, n=12)})
    found = verdict(BETTER, done)
    assert found.outcome is Outcome.SUPPORTED
    assert found.n == 10
    assert "Of 12 seeds the first 10 count; the next look is at 20 seeds" in found.reason
    first = verdict(BETTER, [run for run in done if run.seed < 10])
    assert (found.effect, found.low, found.high) == (first.effect, first.low, first.high)


def test_a_ratio_of_times_is_compared_as_geometric_means():
    left = {64: [1.0, 1.1, 0.9, 1.0, 1.05]}
    right = {64: [4.0, 4.1, 3.9, 4.2, 4.0]}
    rule = Ratio(metric="step_time", left=A, right=B, per=("length",), below=0.5, matched=())
    found = verdict(rule, duel(left, right, metric="step_time"))
    expected = np.exp(np.mean(np.log(left[64])) - np.mean(np.log(right[64])))
    assert found.outcome is Outcome.SUPPORTED
    assert found.effect == pytest.approx(expected)


def test_a_ratio_without_logarithm_stays_open():
    rule = Ratio(metric="mse", split="test", left=A, right=B, per=("length",), below=1.0)
    found = verdict(rule, duel({64: [0.0] * 5}, {64: noisy(1.0)}, metric="mse@test"))
    assert found.outcome is Outcome.INCONCLUSIVE


def test_a_ratio_needs_a_threshold_above_zero():
    with pytest.raises(UsageError, match="threshold above 0"):
        Ratio(metric="mse", split="test", left=A, right=B, above=0.0)


def test_the_scope_keeps_names_with_commas_apart():
    done = [Done({"model": name}, 0, {"max_abs_error": 0.0}) for name in ("LSTM, bias 1", "GRU")]
    found = verdict(Exact(metric="max_abs_error", below=1e-5), done)
    assert found.scope == "model LSTM, bias 1 / GRU; cpu (test)"


# Conditions


def test_a_boundary_is_told_by_the_levels_that_were_measured():
    # Crosses zero at a length of 256, linearly in octaves.
    effects = {length: 0.05 * np.log2(length / 256) for length in (32, 64, 128, 512, 1024, 2048)}
    found = verdict(BETTER, lengths(effects))
    assert found.outcome is Outcome.CONDITIONAL
    assert found.boundary == "holds from length 512, fails up to 128"


def test_a_boundary_from_the_other_side():
    effects = {32: 0.2, 64: 0.2, 128: 0.1, 256: -0.1, 512: -0.2, 1024: -0.2}
    assert verdict(BETTER, lengths(effects)).boundary == "holds up to length 128, fails from 256"


def test_a_boundary_with_open_cells_between_says_so():
    found = verdict(BETTER, lengths({32: -0.2, 64: 0.0, 128: 0.0, 256: 0.2}))
    assert found.boundary == "holds from length 256, fails up to 32, open between"


@pytest.mark.parametrize("few", [0.2, -0.2])
def test_the_grid_does_not_decide_whether_a_boundary_is_seen(few):
    effects = {2**power: -few for power in range(5, 12)} | {2: few}
    found = verdict(BETTER, lengths(effects))
    assert found.outcome is Outcome.CONDITIONAL
    assert (
        found.boundary
        == f"holds {'up to length 2, fails from 32' if few > 0 else 'from length 32, fails up to 2'}"
    )


def test_open_cells_belong_only_between_pass_and_fail():
    between = verdict(BETTER, lengths({32: 0.2, 64: 0.2, 128: 0.0, 256: -0.2, 512: -0.2}))
    beyond = verdict(BETTER, lengths({32: 0.0, 64: 0.2, 128: 0.2, 256: -0.2, 512: -0.2}))
    assert between.outcome is Outcome.CONDITIONAL
    assert beyond.outcome is Outcome.INCONCLUSIVE
    assert beyond.boundary == ""


def test_no_monotone_boundary_is_inconclusive():
    found = verdict(BETTER, lengths({32: 0.2, 64: -0.2, 128: 0.2, 256: -0.2}))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.seeds_needed is None


def test_a_boundary_by_name_needs_each_level_whole():
    rule = Difference(
        metric="accuracy", split="test", left=A, right=B, per=("kind", "length"), along="kind", above=0.0
    )

    def page(decoder):
        return [
            Done({"model": model, "kind": kind, "length": length}, seed, {"accuracy@test": value} | FAIR)
            for kind, effects in (("encoder", (0.2, 0.2)), ("decoder", decoder))
            for length, effect in zip((64, 128), effects, strict=True)
            for model, mean in (("A", 0.5 + effect), ("B", 0.5))
            for seed, value in enumerate(noisy(mean, seed=length))
        ]

    found = verdict(rule, page((-0.2, -0.2)))
    assert found.outcome is Outcome.CONDITIONAL
    assert found.boundary == "holds for kind=encoder; fails for kind=decoder"
    assert verdict(rule, page((0.2, -0.2))).outcome is Outcome.INCONCLUSIVE


# What never supports


def test_a_planned_cell_that_never_ran_is_not_tested():
    planned = [Done({"model": model, "length": 512}, seed) for model in "AB" for seed in range(5)]
    found = verdict(BETTER, lengths({64: 0.2, 128: 0.2}), also_planned=planned)
    assert found.outcome is Outcome.NOT_TESTED
    assert "1 of 3 cells missing: length=512" in found.reason
    assert "5 not run" in found.reason


def test_one_side_that_failed_everywhere_is_not_tested():
    done = lengths({64: 0.2})
    failed = [
        Done(run.factors, run.seed, {}, "out of memory") if run.factors["model"] == "B" else run
        for run in done
    ]
    found = verdict(BETTER, failed)
    assert found.outcome is Outcome.NOT_TESTED
    assert "model=B (5 out of memory)" in found.reason


def test_one_diverged_run_is_never_dropped():
    done = lengths({64: 0.2})
    for model in "AB":
        at = next(at for at, run in enumerate(done) if run.factors["model"] == model)
        broken = [*done]
        broken[at] = Done(done[at].factors, done[at].seed, done[at].measured, "diverged")
        found = verdict(BETTER, broken)
        assert found.outcome is Outcome.NOT_TESTED
        assert f"1 of 5 runs of {model} diverged" in found.reason


def test_nothing_planned_is_not_tested():
    assert verdict(BETTER, [Done({"model": "A", "length": 64}, 0, FAIR)]).outcome is Outcome.NOT_TESTED


def test_a_metric_that_was_not_measured_is_not_tested():
    rule = Difference(metric="loss", split="test", left=A, right=B, per=("length",), below=0.0)
    found = verdict(rule, lengths({64: 0.2}))
    assert found.outcome is Outcome.NOT_TESTED
    assert "loss was not measured" in found.reason


def test_one_seed_is_inconclusive():
    found = verdict(BETTER, duel({64: [0.9]}, {64: [0.1]}))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "Too few seeds: 1" in found.reason
    assert found.effect == pytest.approx(0.8)
    assert found.low is None
    assert found.seeds_needed is None


def test_seeds_without_a_partner_are_left_out_and_counted():
    done = lengths({64: 0.2})
    done[-1] = Done(done[-1].factors, done[-1].seed, {}, "timed out")
    found = verdict(BETTER, done)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.n == 4
    assert "1 of 5 runs of B gave no result. 1 seed left out" in found.reason
    assert found.seeds_needed == 1


def test_an_unfair_comparison_is_inconclusive_however_large_the_effect():
    found = verdict(BETTER, lengths({64: 0.2}, given_right=FAIR | {"parameters": 5e4}))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "not fair: parameters 100,000 against 50,000" in found.reason
    assert found.seeds_needed is None
    assert found.cells[0].decision == "pass"


def test_runs_of_another_kind_on_the_same_page_do_not_disturb():
    probes = [
        Done({"model": model, "length": 64, "probe": "depth"}, 0, {"parameters": 7.0}) for model in "AB"
    ]
    found = verdict(BETTER, lengths({64: 0.2}) + probes)
    assert found.outcome is Outcome.SUPPORTED
    assert found.reason == "The whole interval lies above 0."


def test_unfair_comes_before_too_few_seeds():
    found = verdict(BETTER, duel({64: [0.9]}, {64: [0.1]}, given_right={}))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "not recorded" in found.reason


# Chance


def test_no_effect_is_inconclusive():
    found = verdict(BETTER, duel({64: noisy(0.5, seed=1)}, {64: noisy(0.5, seed=2)}))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.low < 0 < found.high


@pytest.mark.parametrize("seeds", [5, 12])
def test_equal_models_seldom_give_a_verdict(seeds):
    rng = np.random.default_rng(11)
    outcomes = [
        verdict(BETTER, duel({64: rng.normal(0.5, 0.1, seeds)}, {64: rng.normal(0.5, 0.1, seeds)})).outcome
        for _ in range(200)
    ]
    # Promised: 5 %. Two standard errors of that share in 200 pages are 3 %.
    assert np.mean([outcome is not Outcome.INCONCLUSIVE for outcome in outcomes]) <= 0.08


def test_twenty_comparisons_of_equal_models_seldom_give_one_that_clears():
    rng = np.random.default_rng(5)
    rule = Difference(metric="accuracy", split="test", left=A, right=B, per=("length",), above=0.0)
    levels = range(20)
    pages = uncorrected = 0
    for _ in range(30):
        left, right = ({level: rng.normal(0.5, 0.1, 5) for level in levels} for _ in "AB")
        cells = verdict(rule, duel(left, right)).cells
        pages += any(cell.decision != "open" for cell in cells)
        uncorrected += any(not cell.low <= 0 <= cell.high for cell in cells)
    assert uncorrected >= 15  # without the correction most pages would show something
    assert pages <= 4  # 5 % of 30 is 1.5; two standard errors are 2.4


def test_the_correction_counts_every_claim_of_the_page():
    values = {64: [0.010, 0.005, 0.012, 0.004, 0.008]}
    done = duel(values, {64: [0.0] * 5})
    assert verdict(BETTER, done).outcome is Outcome.SUPPORTED
    found = verdicts([BETTER] * 4, done)
    assert {one.outcome for one in found} == {Outcome.SUPPORTED}
    found = verdicts([BETTER] * 20, done)
    assert {one.outcome for one in found} == {Outcome.INCONCLUSIVE}
    assert "Holm's correction for 20 comparisons" in found[0].reason
    assert found[0].cells[0].p_value == pytest.approx(20 * verdict(BETTER, done).cells[0].p_value)


def test_the_best_of_equal_opponents_does_not_refute():
    """Picking the best of five pushes the effect down; the p-value has to pay for it."""
    rng = np.random.default_rng(3)
    names = ["A", "B", "C", "D", "E", "F"]
    right = tuple({"model": name} for name in names[1:])
    rule = Difference(metric="accuracy", split="test", left=A, right=right, above=0.0)
    refuted = 0
    for _ in range(100):
        done = [
            Done({"model": name}, seed, {"accuracy@test": rng.normal(0.5, 0.1)} | FAIR)
            for name in names
            for seed in range(5)
        ]
        refuted += verdict(rule, done).outcome is Outcome.NOT_SUPPORTED
    assert refuted <= 7  # 2.5 % on that side would be 2.5


def test_seeds_needed_lead_to_a_look_and_are_fewer_for_a_larger_effect():
    left = np.array([0.52, 0.46, 0.55, 0.50, 0.54])
    found = [verdict(BETTER, duel({64: left + more}, {64: [0.5] * 5})) for more in (0.015, 0.03)]
    assert {one.outcome for one in found} == {Outcome.INCONCLUSIVE}
    smaller, larger = (5 + one.seeds_needed for one in found)
    assert larger < smaller
    assert {smaller, larger} < {10, 20, 40, 80, 160}


def test_an_estimate_on_the_threshold_has_no_number_of_seeds_needed():
    found = verdict(BETTER, duel({64: [0.4, 0.6, 0.5, 0.45, 0.55]}, {64: [0.5] * 5}))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.seeds_needed is None


# Sides


def test_the_opponent_is_the_best_by_validation():
    values = {
        "A": (0.7, 0.7),
        "B": (0.6, 0.5),
        "C": (0.5, 0.8),
    }  # valid, test: C looks best only on the test split
    done = [
        Done(
            {"model": name},
            seed,
            {"accuracy@valid": valid + seed / 100, "accuracy@test": test + seed / 1000} | FAIR,
        )
        for name, (valid, test) in values.items()
        for seed in range(5)
    ]
    rule = Difference(metric="accuracy", split="test", left=A, right=(B, C), above=0.0)
    found = verdict(rule, done)
    assert found.cells[0].opponent == "B"
    assert found.outcome is Outcome.INCONCLUSIVE  # A beats B, but not C
    unvalidated = [
        Done(run.factors, run.seed, {"accuracy@test": run.measured["accuracy@test"]}) for run in done
    ]
    free = Difference(metric="accuracy", split="test", left=A, right=(B, C), above=0.0, matched=())
    by_test = verdict(free, unvalidated)
    assert by_test.cells[0].opponent == "C"
    assert "chosen on the test split" in by_test.reason
    assert "chosen on the test split" not in found.reason


def test_a_claim_against_the_best_must_hold_against_every_opponent():
    """Validation picks B, which is easy to beat; C is as good as A on the test split."""
    rng = np.random.default_rng(4)
    test = {"A": 0.7, "B": 0.5, "C": 0.7}
    done = [
        Done(
            {"model": name},
            seed,
            {"accuracy@valid": 0.9 if name == "B" else 0.6, "accuracy@test": rng.normal(mean, 0.01)} | FAIR,
        )
        for name, mean in test.items()
        for seed in range(10)
    ]
    rule = Difference(metric="accuracy", split="test", left=A, right=(B, C), above=0.0)
    found = verdict(rule, done)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.cells[0].opponent == "B"
    assert "Against C the interval does not clear the threshold" in found.reason
    alone = verdict(replace(rule, right=B), [run for run in done if run.factors != C])
    assert alone.outcome is Outcome.SUPPORTED


def test_the_best_time_is_the_lowest():
    values = {"A": 1.0, "B": 4.0, "C": 2.0}
    done = [
        Done({"model": name}, seed, {"step_time": value * (1 + seed / 100)})
        for name, value in values.items()
        for seed in range(5)
    ]
    rule = Ratio(metric="step_time", left=A, right=(B, C), below=0.6, matched=())
    assert verdict(rule, done).cells[0].opponent == "C"


def test_an_opponent_that_diverged_throughout_is_not_the_best_but_one_that_failed_might_have_been():
    done = [
        Done({"model": name}, seed, {"accuracy@test": value + seed / 1000} | FAIR)
        for name, value in {"A": 0.7, "B": 0.5, "C": 0.9}.items()
        for seed in range(5)
    ]
    rule = Difference(metric="accuracy", split="test", left=A, right=(B, C), above=0.0)

    def with_c(status):
        return [
            Done(run.factors, run.seed, run.measured, status) if run.factors == C else run for run in done
        ]

    diverged = verdict(rule, with_c("diverged"))
    assert diverged.outcome is Outcome.SUPPORTED
    assert "C diverged in every run" in diverged.reason
    assert verdict(rule, with_c("timed out")).outcome is Outcome.NOT_TESTED


def test_a_formula_that_ran_once_is_paired_with_every_seed():
    done = [Done(A, seed, {"mse@test": 0.5 + seed / 100}) for seed in range(5)]
    done += [Done(B, -1, {"mse@test": 0.9})]
    rule = Difference(metric="mse", split="test", left=A, right=B, below=0.0, matched=())
    found = verdict(rule, done)
    assert found.outcome is Outcome.SUPPORTED
    assert found.n == 5


def test_one_measured_time_is_not_deterministic():
    done = [Done(A, seed, {"step_time": 1.0 + seed / 100}) for seed in range(5)]
    done += [Done(B, -1, {"step_time": 9.0})]
    rule = Difference(metric="step_time", left=A, right=B, below=0.0, matched=())
    found = verdict(rule, done)
    assert found.outcome is Outcome.NOT_TESTED
    assert "no seed has step_time on both sides" in found.reason


def test_data_sets_are_paired_with_themselves():
    done = [
        Done(
            {"model": model, "data": data},
            seed,
            {"mse@test": level + (0.1 if model == "B" else 0.0) + seed / 1e3} | FAIR,
        )
        for data, level in {"traffic": 1.0, "power": 100.0}.items()
        for model in "AB"
        for seed in range(5)
    ]
    rule = Difference(metric="mse", split="test", left=A, right=B, below=0.0)
    assert verdict(rule, done).effect == pytest.approx(-0.1)
    lopsided = [run for run in done if run.factors != {"model": "B", "data": "traffic"} or run.seed]
    found = verdict(rule, lopsided, also_planned=done[5:6])
    assert found.n == 4
    assert "1 seed left out" in found.reason
    assert found.effect == pytest.approx(-0.1)


def test_an_opponent_left_out_of_the_plan_leaves_the_rule_untested():
    """As by `--set model=A,B`: the sentence says "the best of B and C"."""
    rule = Difference(metric="accuracy", split="test", left=A, right=(B, C), above=0.0)
    points = [Done({"model": name}, seed) for name in "ABC" for seed in range(5)]
    done = [
        Done({"model": name}, seed, {"accuracy@test": value + seed / 1000} | FAIR)
        for name, value in {"A": 0.7, "B": 0.5}.items()
        for seed in range(5)
    ]
    found = judge(planted_page(rule, points=points), evidence(done), trials(done))[0]
    assert found.outcome is Outcome.NOT_TESTED
    assert "C left out of the plan" in found.reason
    # A budget that has no C compares with B, as its page intends.
    assert (
        judge(planted_page(rule, points=done), evidence(done), trials(done))[0].outcome is Outcome.SUPPORTED
    )


def budgets_of(rule: Rule, quick: str, full: str) -> Experiment:
    """A page whose budgets compare these models, a letter each, over two lengths."""
    return Experiment(
        run=lambda trial: iter(()),
        budgets=tuple(
            Budget(name, grid(model=tuple(models), length=(16, 32), seeds=5))
            for name, models in (("quick", quick), ("full", full))
        ),
        claims=(Claim("C00", rule, "made up"),),
        name="planted",
    )


def judged_at_quick(rule: Rule, **values: float) -> Verdict:
    """The verdict of a quick budget with these models, where the full one has C too."""
    done = [
        Done({"model": name, "length": length}, seed, {"accuracy@test": value + 0.001 * luck} | FAIR)
        for name, value in values.items()
        for length in (16, 32)
        for seed, luck in enumerate(np.random.default_rng(ord(name)).normal(size=5))
    ]
    page = budgets_of(rule, "".join(values), "ABC")
    return judge(page, evidence(done), trials(done))[0]


@pytest.mark.parametrize("per", [(), ("length",)])
def test_without_an_opponent_that_the_budget_leaves_out_a_claim_is_not_supported(per: tuple[str, ...]):
    rule = Difference(metric="accuracy", split="test", per=per, left=A, right=(B, C), above=0.05, margin=0.05)
    found = judged_at_quick(rule, A=0.7, B=0.5)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "Without C, which the quick budget leaves out" in found.reason
    assert all(cell.absent == ("C",) for cell in found.cells)
    assert found.seeds_needed is None
    # With all opponents it is supported.
    assert judged_at_quick(rule, A=0.7, B=0.5, C=0.4).outcome is Outcome.SUPPORTED
    # Who loses to B loses to the best of B and C.
    lost = judged_at_quick(rule, A=0.5, B=0.7)
    assert lost.outcome is Outcome.NOT_SUPPORTED
    assert "Without C, which the quick budget leaves out" in lost.reason
    # Who is equal to B is not above the best, but may lose to C.
    assert judged_at_quick(rule, A=0.5, B=0.5).outcome is Outcome.NOT_SUPPORTED
    assert judged_at_quick(rule, A=0.5, B=0.5, C=0.4).outcome is Outcome.EQUIVALENT


def test_where_a_better_opponent_makes_it_easier_to_pass_it_is_the_other_way_round():
    """As in "more than five points below the best Transformer"."""
    rule = Difference(metric="accuracy", split="test", left=A, right=(B, C), below=-0.05)
    assert judged_at_quick(rule, A=0.4, B=0.6).outcome is Outcome.SUPPORTED
    assert judged_at_quick(rule, A=0.6, B=0.4).outcome is Outcome.INCONCLUSIVE
    assert judged_at_quick(rule, A=0.6, B=0.4, C=0.5).outcome is Outcome.NOT_SUPPORTED
    # The best one is enough: A need not be below C as well.
    assert judged_at_quick(rule, A=0.4, B=0.6, C=0.4).outcome is Outcome.SUPPORTED


def test_an_opponent_that_the_page_has_at_no_budget_is_not_missed():
    rule = Difference(metric="accuracy", split="test", left=A, right=(B, C, {"model": "D"}), above=0.05)
    assert judged_at_quick(rule, A=0.7, B=0.5, C=0.4).outcome is Outcome.SUPPORTED


# Values that are only bounds

REACH = {"A": 64.0, "B": 4.0}


def reaches(*, bound_of=(), seeds=5, **changed):
    """Runs with a reach; those of the models in `bound_of` are at the longest length tested."""
    return [
        Done(
            {"model": model},
            seed,
            {
                "reach@test": value * (1 + seed / (50 if model == "A" else 90)),
                "reaches_end@test": float(model in bound_of),
            },
        )
        for model, value in (REACH | changed).items()
        for seed in range(seeds)
    ]


def test_a_bound_supports_only_what_holds_for_every_value_beyond_it():
    longer = Ratio(metric="reach", split="test", left=A, right=B, above=2.0, matched=())
    shorter = Ratio(metric="reach", split="test", left=A, right=B, below=20.0, matched=())
    assert verdict(shorter, reaches()).outcome is Outcome.SUPPORTED
    assert verdict(longer, reaches(bound_of="A")).outcome is Outcome.SUPPORTED  # it may only be longer still
    found = verdict(shorter, reaches(bound_of="A"))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "In 5 of 10 runs reach lies at the edge of what was tried and is only a bound" in found.reason
    assert found.high is None
    assert found.seeds_needed is None
    assert verdict(longer, reaches(bound_of="B")).outcome is Outcome.INCONCLUSIVE


def test_two_sides_at_the_edge_say_nothing():
    for rule in (
        Ratio(metric="reach", split="test", left=A, right=B, below=0.5, matched=()),
        Ratio(metric="reach", split="test", left=A, right=B, above=0.9, matched=()),
    ):
        assert verdict(rule, reaches(bound_of="AB", B=64.0)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("edge", "outcome"), [(64, Outcome.SUPPORTED), (16, Outcome.INCONCLUSIVE)])
def test_a_bound_at_the_last_point_makes_a_slope_only_steeper(edge, outcome):
    done = [
        Done(
            {"pairs": pairs},
            seed,
            {"needed_width@test": pairs * (2.0 + seed / 9), "widest_fails@test": float(pairs == edge)},
        )
        for pairs in (4, 16, 64)
        for seed in range(5)
    ]
    rule = Slope(metric="needed_width", split="test", x="pairs", x_scale="log2", y_scale="log2", above=0.5)
    assert verdict(rule, done).outcome is outcome


# Seeds of different kinds


def solved(effects):
    return duel({64: [0.5 + effect for effect in effects]}, {64: [0.5] * len(effects)})


def test_seeds_that_happen_to_agree_are_no_certainty():
    rule = Difference(metric="accuracy", split="test", left=A, right=B, above=0.45, matched=())
    assert verdict(rule, solved([0.5] * 5)).outcome is Outcome.INCONCLUSIVE
    assert verdict(rule, solved([0.5, 0.5001, 0.4999, 0.5, 0.5])).outcome is Outcome.INCONCLUSIVE
    assert verdict(rule, solved([0.5] * 40)).outcome is Outcome.SUPPORTED
    near = Difference(metric="accuracy", split="test", left=A, right=B, above=0.05, matched=())
    assert verdict(near, solved([0.5] * 5)).outcome is Outcome.SUPPORTED
    assert verdict(near, solved([0.0] * 5)).outcome is Outcome.INCONCLUSIVE  # a sixth seed may differ


def test_several_seeds_of_an_exact_count_are_still_exact():
    done = [
        Done({"length": length}, seed, {"sequential_operations": 2.0 * length})
        for length in (8, 16, 32)
        for seed in range(3)
    ]
    rule = Slope(metric="sequential_operations", x="length", above=1.9, seeds=1)
    found = verdict(rule, done)
    assert found.outcome is Outcome.SUPPORTED
    assert (found.low, found.high) == (2.0, 2.0)


# Practical equivalence


@pytest.mark.parametrize(
    ("effect", "outcome"),
    [(0.0, Outcome.EQUIVALENT), (-0.2, Outcome.NOT_SUPPORTED), (0.2, Outcome.SUPPORTED)],
)
def test_a_difference_within_the_margin_is_an_answer_of_its_own(effect, outcome):
    rule = Difference(
        metric="accuracy", split="test", left=A, right=B, per=("length",), above=0.1, margin=0.05
    )
    found = verdict(rule, lengths({64: effect, 128: effect}))
    assert found.outcome is outcome
    assert ("intervals lie within 0.05 of 0" in found.reason) is (outcome is Outcome.EQUIVALENT)
    # With noise as wide as the margin, nothing is shown.
    wide = duel({64: noisy(0.5, spread=0.1, seed=1)}, {64: noisy(0.5, spread=0.1, seed=2)})
    assert verdict(rule, wide).outcome is not Outcome.EQUIVALENT


def test_the_margin_of_a_ratio_is_relative():
    left, right = {64: noisy(1.0, n=10, seed=1)}, {64: noisy(1.0, n=10, seed=2)}
    for margin, outcome in ((0.05, Outcome.EQUIVALENT), (0.001, Outcome.NOT_SUPPORTED)):
        rule = Ratio(metric="mse", split="test", left=A, right=B, below=0.9, margin=margin, matched=())
        assert verdict(rule, duel(left, right, metric="mse@test")).outcome is outcome


def test_a_margin_must_be_positive_and_never_belongs_to_an_exact_rule():
    with pytest.raises(UsageError, match="must be above 0, found -1"):
        Difference(metric="accuracy", left=A, right=B, above=0.0, margin=-1)
    with pytest.raises(UsageError, match="Exact rule on 'loss' cannot have a margin"):
        Exact(metric="loss", below=0.0, margin=0.1)


def test_rules_without_a_margin_keep_their_hash():
    plain = Difference(metric="accuracy", left=A, right=B, above=0.0)
    assert plain.digest() == "a359fea8a15bc47e"
    assert replace(plain, margin=0.1).digest() != plain.digest()


# Exact values and slopes


def test_exact_needs_every_value_to_clear():
    rule = Exact(metric="max_abs_error", per=("model",), below=1e-5)
    good = [Done({"model": model}, 0, {"max_abs_error": 1e-6}) for model in "ABCDE"]
    found = verdict(rule, good)
    assert found.outcome is Outcome.SUPPORTED
    assert found.cells[0].p_value is None
    assert (found.cells[0].low, found.cells[0].high) == (1e-6, 1e-6)
    violated = [*good[:4], Done({"model": "E"}, 0, {"max_abs_error": 1e-4})]
    found = verdict(rule, violated)
    assert found.cells[-1].decision == "fail"
    assert found.outcome is Outcome.INCONCLUSIVE
    alone = verdict(Exact(metric="max_abs_error", below=1e-5), violated)
    assert alone.outcome is Outcome.NOT_SUPPORTED
    assert alone.high == 1e-4


def test_exact_with_a_run_that_failed_is_not_tested():
    done = [Done(A, 0, {"max_abs_error": 1e-6}), Done(A, 1, {}, "failed")]
    assert verdict(Exact(metric="max_abs_error", below=1e-5), done).outcome is Outcome.NOT_TESTED


def test_a_deterministic_slope_is_judged_by_its_value():
    done = [
        Done({"model": model, "length": length}, 0, {"sequential_operations": 50 + slope * length})
        for model, slope in (("A", 0.0), ("B", 2.0))
        for length in (8, 16, 32, 64)
    ]
    rule = Slope(
        metric="sequential_operations", x="length", per=("model",), along="model", above=1.0, seeds=1
    )
    found = verdict(rule, done)
    assert [(cell.estimate, cell.low, cell.high) for cell in found.cells] == [(0, 0, 0), (2, 2, 2)]
    assert found.outcome is Outcome.CONDITIONAL
    assert found.boundary == "holds for model=B; fails for model=A"


def test_a_slope_over_a_metrics_own_index_on_logarithmic_axes():
    decades = [-0.1, -0.11, -0.09, -0.1, -0.1]
    done = [
        Done(A, seed, {"gradient_norm": 10 ** (rate * np.arange(40.0))}) for seed, rate in enumerate(decades)
    ]
    rule = Slope(metric="gradient_norm", x="step", y_scale="log10", per=("model",), below=-0.02)
    found = verdict(rule, done)
    assert found.outcome is Outcome.SUPPORTED
    assert found.effect == pytest.approx(-0.1)
    sunk = [Done(A, run.seed, {"gradient_norm": [*run.measured["gradient_norm"], 0.0]}) for run in done]
    again = verdict(rule, sunk)
    assert again.effect == pytest.approx(-0.1)
    assert "5 values without a logarithm" in again.reason


def test_one_seed_of_a_noisy_slope_is_no_evidence():
    done = [Done(A, 0, {"gradient_norm": 10 ** (-0.1 * np.arange(40.0))})]
    rule = Slope(metric="gradient_norm", x="step", y_scale="log10", below=-0.02)
    assert verdict(rule, done).outcome is Outcome.INCONCLUSIVE


def test_a_slope_with_a_missing_length_is_not_tested():
    done = [Done({"length": length}, 0, {"sequential_operations": length}) for length in (8, 16)]
    rule = Slope(metric="sequential_operations", x="length", above=0.5, seeds=1)
    assert verdict(rule, done, also_planned=[Done({"length": 32}, 0)]).outcome is Outcome.NOT_TESTED


def test_points_that_nobody_planned_are_no_part_of_a_rule():
    done = [
        Done({"length": length}, seed, {"peak_memory": length ** (1.2 + seed / 100)})
        for length in (64, 128, 256)
        for seed in range(5)
    ]
    unplanned = Done({"length": 512}, 0, {"peak_memory": 1e9})
    rule = Slope(metric="peak_memory", x="length", x_scale="log2", y_scale="log2", below=1.5)
    found = judge(planted_page(rule), evidence([*done, unplanned]), trials(done))[0]
    assert found.outcome is Outcome.SUPPORTED
    assert (found.n, found.effect) == (5, pytest.approx(1.22))


def test_a_seed_that_lacks_a_point_has_no_slope():
    done = [
        Done({"length": length}, seed, {"peak_memory": length**1.2 if length < 256 else length**1.4})
        for length in (64, 128, 256)
        for seed in range(6)
    ]
    done[-1] = Done(done[-1].factors, 5, {}, "out of memory")
    rule = Slope(metric="peak_memory", x="length", x_scale="log2", y_scale="log2", below=2.5)
    found = verdict(rule, done)
    assert found.n == 5
    assert "1 seed left out" in found.reason


def test_more_seeds_than_planned_count_and_so_do_their_divergences():
    done = duel({64: noisy(0.7, n=7)}, {64: noisy(0.5, n=7)})
    planned = trials(run for run in done if run.seed < 5)
    found = judge(planted_page(BETTER), evidence(done), planned)[0]
    assert found.n == 5
    assert "Of 7 seeds the first 5 count" in found.reason
    done[6] = Done(done[6].factors, 6, {}, "diverged")
    found = judge(planted_page(BETTER), evidence(done), planned)[0]
    assert found.outcome is Outcome.NOT_TESTED
    assert "1 of 7 runs of A diverged" in found.reason


# Symmetries

VALUES = st.lists(st.floats(0, 1).map(lambda value: round(value, 3)), min_size=5, max_size=5)
OPPOSITE = {Outcome.SUPPORTED: Outcome.NOT_SUPPORTED, Outcome.NOT_SUPPORTED: Outcome.SUPPORTED}


@settings(max_examples=15)
@given(
    left=st.lists(VALUES, min_size=1, max_size=3),
    right=st.lists(VALUES, min_size=3, max_size=3),
    above=st.sampled_from([-0.1, 0.0, 0.1]),
)
def test_swapping_the_sides_and_the_sign_changes_nothing_and_swapping_the_claim_mirrors_it(
    left, right, above
):
    lefts, rights = dict(enumerate(left)), dict(zip(range(len(left)), right, strict=False))
    done = duel(lefts, rights)
    fixed = {"metric": "accuracy", "split": "test", "per": ("length",)}
    found = verdict(Difference(left=A, right=B, above=above, **fixed), done)
    swapped = verdict(Difference(left=B, right=A, below=-above, **fixed), done)
    opposite = verdict(Difference(left=A, right=B, below=above, **fixed), done)
    assert swapped.outcome is found.outcome
    assert swapped.effect == pytest.approx(-found.effect)
    assert opposite.outcome is OPPOSITE.get(found.outcome, found.outcome)


@settings(max_examples=15)
@given(left=VALUES, right=VALUES, shift=st.floats(0, 1))
def test_a_larger_effect_in_the_claimed_direction_never_refutes_what_was_supported(left, right, shift):
    before = verdict(BETTER, duel({64: left}, {64: right}))
    after = verdict(BETTER, duel({64: [value + shift for value in left]}, {64: right}))
    rank = [Outcome.NOT_SUPPORTED, Outcome.INCONCLUSIVE, Outcome.SUPPORTED]
    assert rank.index(after.outcome) >= rank.index(before.outcome)
