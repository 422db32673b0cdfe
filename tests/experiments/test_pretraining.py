"""Does the formula give the published work, and do machines and critical paths add up?"""

from collections.abc import Mapping

import pytest

from experiments import pretraining
from seqlab.notebook import Trial

HERE = pretraining.Device(rate=1e12, latency=1e-6)


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "device", lambda repeats, seed: HERE)


def measured(**factors: str) -> Mapping[tuple[str, int | None], float]:
    trial = Trial("pretraining", factors, 0, "smoke", {"repeats": 1})
    return {(found.metric, found.step): found.value for found in pretraining.run(trial)}


@pytest.mark.parametrize("model", pretraining.SHAPES)
def test_the_formula_is_within_five_per_cent(model: str) -> None:
    """Of the published total, by the count that its authors took."""
    count = "with attention" if model.startswith("PaLM") else "6 N D"
    assert pretraining.operations(model, count) == pytest.approx(
        pretraining.operations(model, "published"), rel=0.05
    )
    assert pretraining.operations(model, "6 N D") < pretraining.operations(model, "with attention")


@pytest.mark.parametrize("network", ["Transformer", pretraining.STACKED])
def test_the_critical_path_of_a_larger_network_is_extrapolated(network: str) -> None:
    assert pretraining.critical_path(network, layers=4, length=48) == pretraining.counted(network, 4, 48)


def test_the_critical_path_of_a_transformer_does_not_grow_with_the_context() -> None:
    assert pretraining.critical_path("Transformer", layers=9, length=64) == pretraining.critical_path(
        "Transformer", layers=9, length=16
    )


def test_overlapped_layers_follow_one_token_behind() -> None:
    """So nine layers and 64 tokens take as many sequential operations as one layer and 72."""
    overlapped = pretraining.critical_path(pretraining.OVERLAPPED, layers=9, length=64)
    assert overlapped == pretraining.critical_path(pretraining.STACKED, layers=1, length=72)
    assert overlapped < pretraining.critical_path(pretraining.STACKED, layers=9, length=64) / 7


@pytest.mark.parametrize("network", pretraining.NETWORKS)
def test_work_is_divided_until_the_critical_path_is_left(network: str) -> None:
    found = measured(part="machines", model="GPT-3", network=network)
    one, ten = found["days_on_machines", 1], found["days_on_machines", 10]
    assert one == pytest.approx(3.14e23 / (0.462 * 1e12) / 86_400)
    assert ten == pytest.approx(one / 10)
    floor = found["days_on_machines", 10**pretraining.DECADES]
    assert floor == measured(part="chain", model="GPT-3", network=network)["training_days", None]
    assert min(found.values()) == floor


def test_one_machine_at_full_utilisation() -> None:
    found = measured(part="take", model="PaLM", utilisation="full")
    assert found["training_days", None] == pytest.approx(2.56e24 / 1e12 / 86_400)
    assert found["machines", None] == pytest.approx(2.56e24 / 1e12 / 86_400 / 30)


def test_a_steps_critical_path_times_the_steps_times_the_latency() -> None:
    found = measured(part="chain", model="GPT-3", network="Transformer")
    assert found["updates", None] == 300e9 / 3.2e6
    assert found["training_days", None] == pytest.approx(
        found["sequential_operations", None] * found["updates", None] * 1e-6 / 86_400
    )


def test_every_planned_point_can_be_run() -> None:
    for point in pretraining.points(seeds=1):
        assert measured(**{name: str(value) for name, value in point.factors.items()})
