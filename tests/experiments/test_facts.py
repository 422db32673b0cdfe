"""Is the arithmetic of the historical claims right, done by hand?"""

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


def measured(**factors: str) -> Mapping[tuple[str, int | None], float]:
    trial = Trial("facts", factors, 0, "smoke", {})
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


def test_every_planned_point_can_be_run() -> None:
    """Each row of the table finds its figure, and each part its numbers."""
    for point in facts.POINTS:
        assert measured(**{name: str(value) for name, value in point.factors.items()})
