"""Is the arithmetic of the historical claims right, done by hand, and do machines and chains add up?"""

import math
from collections.abc import Mapping

import pytest

from experiments import facts
from seqlab.notebook import Trial

# The figure that each statement is held against, and its distance, worked out apart from the page.
EXPECTED = {
    "Transformer: days": (3.5, 0),
    "GNMT: weeks": (6, 8 / 14),
    "LSTM with experts: weeks": (6, 8 / 14),
    "GNMT on the Transformer's chips: weeks": (1.4e20 / 76e12 / 86_400, 0),  # three weeks
    "LSTM with experts on the Transformer's chips: weeks": (1.2e20 / 76e12 / 86_400, 0),
    "GPT-3: huge data": (300e9, 0),
    "PaLM: huge data": (780e9, 0),
    "T5: huge data": (1e12, 0),
    "GPT-3: 300 billion tokens": (300e9, 0),
    "GPT-3: weeks on V100 chips": (14.77, 0),
    "GPT-3: weeks on A100 chips": (34, 0),
    "PaLM: 6144 chips": (6_144, 0),
    "T5: sequences in parts": (1, 1 / 2),
    "GPT-3: trillions of parameters": (174.6e9, 1 - 174.6 / 2_000),
    "GPT-3: trillions of tokens": (300e9, 17 / 20),
    "PaLM: trillions of parameters": (540.35e9, 1 - 540.35 / 2_000),
    "PaLM: trillions of tokens": (780e9, 122 / 200),
    "T5: trillions of parameters": (11e9, 1 - 11 / 2_000),
    "T5: trillions of tokens": (1e12, 1 / 2),
    "no Transformer before": (0, 0),
    "no parallel positions before (but ConvS2S)": (35, 1),
    "no parallel positions before (but ByteNet)": (224, 1),
}
HERE = facts.Device(rate=1e12, latency=1e-6)


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "device", lambda repeats, seed: HERE)


def measured(**factors: str) -> Mapping[tuple[str, int | None], float]:
    trial = Trial("facts", factors, 0, "smoke", {"repeats": 1})
    return {(found.metric, found.step): found.value for found in facts.run(trial)}


def test_every_statement_by_hand() -> None:
    assert set(EXPECTED) == set(facts.STATEMENTS)
    for name, said in facts.STATEMENTS.items():
        found = measured(part=said.claim, statement=name)
        assert found["published_figure", None] == pytest.approx(EXPECTED[name][0], rel=1e-3), name
        assert found["relative_difference", None] == pytest.approx(EXPECTED[name][1], rel=1e-3), name


def test_every_bound_claim_has_statements() -> None:
    assert {claim.id for claim in facts.experiment.claims} == {
        said.claim for said in facts.STATEMENTS.values()
    }


@pytest.mark.parametrize(
    ("allowed", "figure", "expected"),
    [
        ((2.0, 4.0), 3.0, 0),
        ((2.0, 4.0), 1.0, 1 / 2),
        ((2.0, 4.0), 5.0, 1 / 5),
        ((2.0, math.inf), 5.0, 0),
        ((0.0, 0.0), 5.0, 1),
        ((0.0, 0.0), 0.0, 0),
    ],
)
def test_the_distance_is_to_the_nearest_allowed_number(
    allowed: tuple[float, float], figure: float, expected: float
) -> None:
    assert facts.difference(allowed, figure) == expected


@pytest.mark.parametrize("model", facts.SHAPES)
def test_the_calculator_is_within_five_per_cent(model: str) -> None:
    """Of the published total, by the count that its authors took."""
    count = "with attention" if model.startswith("PaLM") else "6 N D"
    assert facts.operations(model, count) == pytest.approx(facts.operations(model, "published"), rel=0.05)
    assert facts.operations(model, "6 N D") < facts.operations(model, "with attention")


@pytest.mark.parametrize("network", ["Transformer", facts.STACKED])
def test_the_chain_of_a_larger_network_is_foretold(network: str) -> None:
    assert facts.chain(network, layers=4, length=48) == facts.counted(network, 4, 48)


def test_the_chain_of_a_transformer_does_not_grow_with_the_context() -> None:
    assert facts.chain("Transformer", layers=9, length=64) == facts.chain("Transformer", layers=9, length=16)


def test_overlapped_layers_follow_one_token_behind() -> None:
    """So nine layers and 64 tokens wait as long as one layer and 72."""
    overlapped = facts.chain(facts.OVERLAPPED, layers=9, length=64)
    assert overlapped == facts.chain(facts.STACKED, layers=1, length=72)
    assert overlapped < facts.chain(facts.STACKED, layers=9, length=64) / 7


@pytest.mark.parametrize("network", facts.NETWORKS)
def test_work_is_divided_until_the_chain_is_left(network: str) -> None:
    found = measured(part="machines", model="GPT-3", network=network)
    one, ten = found["days_on_machines", 1], found["days_on_machines", 10]
    assert one == pytest.approx(3.14e23 / (0.462 * 1e12) / 86_400)
    assert ten == pytest.approx(one / 10)
    floor = found["days_on_machines", 10**facts.DECADES]
    assert floor == measured(part="chain", model="GPT-3", network=network)["training_days", None]
    assert min(found.values()) == floor


def test_one_machine_at_full_utilisation() -> None:
    found = measured(part="take", model="PaLM", utilisation="full")
    assert found["training_days", None] == pytest.approx(2.56e24 / 1e12 / 86_400)
    assert found["machines", None] == pytest.approx(2.56e24 / 1e12 / 86_400 / 30)


def test_a_steps_chain_times_the_steps_times_the_latency() -> None:
    found = measured(part="chain", model="GPT-3", network="Transformer")
    assert found["updates", None] == 300e9 / 3.2e6
    assert found["training_days", None] == pytest.approx(
        found["sequential_operations", None] * found["updates", None] * 1e-6 / 86_400
    )


def test_every_planned_point_can_be_run() -> None:
    """Each row of the table finds its figure, and each part its numbers."""
    for point in facts.points(seeds=1):
        assert measured(**{name: str(value) for name, value in point.factors.items()})
