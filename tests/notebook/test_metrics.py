"""Does the catalogue tell what depends on the machine?"""

import pytest

from seqlab.errors import UsageError
from seqlab.notebook.declared import declare
from seqlab.notebook.metrics import METRICS, Metric


def test_times_sizes_and_rates_depend_on_the_machine() -> None:
    for metric in METRICS.values():
        if metric.unit in ("s", "d", "B", "B/s", "FLOP/s", "token/s", "FLOP/B"):
            assert metric.of_machine, metric.name
    titles = (
        "time",
        "memory",
        "throughput",
        "speed",
        "machine",
        "rate of",
        "bandwidth",
        "utilisation",
        "device",
    )
    wrong = {
        metric.name
        for metric in METRICS.values()
        if not metric.of_machine and any(word in metric.title.lower() for word in titles)
    }
    assert wrong == set()


@pytest.mark.parametrize(
    "name", ["accuracy", "bits_per_token", "mse", "loss", "parameters", "step_flops", "train_steps", "reach"]
)
def test_quality_and_what_each_side_was_given_do_not(name: str) -> None:
    assert not METRICS[name].of_machine


@pytest.mark.parametrize(
    "name", ["relative_time", "utilisation", "memory_exponent", "max_abs_error", "product_bits"]
)
def test_ratios_of_times_and_digits_of_arithmetic_do(name: str) -> None:
    assert METRICS[name].of_machine


def test_a_page_declares_a_metric_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.notebook.declared.METRICS", METRICS.copy())
    own = Metric("letters_sent", "Bytes sent a step", "B", "lower")
    assert declare(own) == declare(own) == "letters_sent"
    with pytest.raises(
        UsageError, match="'letters_sent' is declared with another meaning: 'Bytes sent a step'"
    ):
        declare(Metric("letters_sent", "Bytes sent in all", "B", "lower"))
    with pytest.raises(UsageError, match="'loss' is declared with another meaning"):
        declare(Metric("loss", "What was lost"))
