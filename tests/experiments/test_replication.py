"""Is a model that was changed on another machine caught, by networks that were really trained?"""

from collections.abc import Sequence
from functools import cache

import pytest

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.replication import Replicates, Replication, replication
from seqlab.notebook.experiment import Trial
from tests.analysis.planted import Done, evidence
from tests.experiments.pages import recalls

REFERENCE, HERE = range(5), range(5, 7)


@cache
def trained(machine: str, seeds: Sequence[int]) -> Evidence:
    """The page's trials with these seeds on that machine."""
    return evidence(
        Done({"model": model}, seed, {"accuracy@test": found.value})
        for model in recalls.BACKBONES
        for seed in seeds
        for found in recalls.run(Trial("recalls", {"model": model}, seed, "quick", {"machine": machine}))
    )


def found_by(machine: str) -> Replication:
    (claim,) = recalls.experiment.claims
    return replication(claim.rule, trained(recalls.AS_WRITTEN, REFERENCE), trained(machine, HERE))


def test_an_honest_machine_replicates() -> None:
    found = found_by(recalls.AS_WRITTEN)
    assert found.outcome is Replicates.YES, found


@pytest.mark.parametrize("machine", [recalls.READS_NOTHING, recalls.SHUFFLED])
def test_a_machine_that_computes_something_else_does_not(machine: str) -> None:
    found = found_by(machine)
    assert found.outcome is Replicates.NO, found
    assert "2 of 2 trials of Transformer lie outside what 5 reference seeds allow" in found.reason
    if machine == recalls.READS_NOTHING:
        assert "LSTM" not in found.reason
