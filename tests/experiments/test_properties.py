"""Do the six networks differ in what they are said to differ, and in nothing else that is measured?"""

import math
from itertools import combinations

import mlx.core as mx
import numpy as np
import pytest

from experiments import properties as page
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.sizing import parameters
from seqlab.notebook import Trial
from seqlab.notebook.experiment import Measurement

SMOKE = page.experiment.settings(page.experiment.budget("smoke"))
PROTOCOL = page.experiment.protocol
SIZES = {name: PROTOCOL[name] for name in ("width", "depth", "context", "batch", "steps", "scored")}


def recipe(domain: str, model: str, **settings: int) -> page.Recipe:
    return page.Recipe(domain, model, **{**SIZES, **settings})


@pytest.mark.parametrize("domain", page.DOMAINS)
def test_the_networks_of_a_domain_have_as_many_parameters(domain: str) -> None:
    counts = [parameters(recipe(domain, name).start(0)[0]) for name in page.NETWORKS]
    assert max(counts) <= 1.02 * min(counts)


@pytest.mark.parametrize("name", page.NETWORKS)
def test_a_network_sees_as_far_as_is_said(name: str) -> None:
    """Change one input at a time: from which on does the last output change?"""
    network, length = page.NETWORKS[name], 20
    size = Size(32, length=length, blocks=network.blocks, reach=network.reach)
    model = build(network.backbone, size, TokenHead(20), seed=0)
    tokens = np.random.default_rng(0).integers(20, size=length)
    rows = np.tile(tokens, (length + 1, 1))
    rows[np.arange(length), np.arange(length)] = (tokens + 1) % 20  # the last row stays as it is
    last = np.array(model(mx.array(rows))[:, -1])
    changed = np.abs(last[:-1] - last[-1]).max(axis=1) > 1e-6  # rounding
    seen = length - int(np.flatnonzero(changed)[0])
    assert seen == (13 if network.memory == page.SHORT else length)


def test_every_effect_is_measured_between_networks_that_agree_in_the_rest() -> None:
    named = {(each.training, each.access, each.memory): name for name, each in page.NETWORKS.items()}
    assert len(named) == len(page.NETWORKS) == 6
    pairs = [(a, b) for a, b in combinations(named, 2) if sum(x != y for x, y in zip(a, b, strict=True)) == 1]
    assert len(pairs) == 7  # two of training, three of access, two of memory
    cells = {claim.rule.per: claim.rule for claim in page.experiment.claims}
    assert len(cells) == 2  # training and memory have the same cells, of other runs
    for claim in page.experiment.claims:
        rule = claim.rule
        asked = [point for point in page.points(page.DOMAINS, seeds=None) if rule.asks_for(point.factors)]
        sides = [
            sum(page_side.items() <= dict(point.factors).items() for page_side in rule.sides)
            for point in asked
        ]
        assert all(one == 1 for one in sides)  # on one side each


@pytest.mark.parametrize("domain", page.DOMAINS)
@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_scored_token_has_half_a_window_before_it(domain: str, split: str) -> None:
    """Or all of its file or chorale, of which that is the first window."""
    where = page.windows(domain, split, 64, 8_000)
    assert where.inputs.shape == where.targets.shape == where.scored.shape
    assert 4_000 <= where.scored.sum() <= 12_000
    whole = where.scored[:, :32].any(axis=1)
    if domain == page.PLAYS:
        assert not whole.any()
    assert where.scored[~whole][:, 32:].any()


@pytest.mark.slow
@pytest.mark.parametrize("domain", page.DOMAINS)
def test_networks_learn(domain: str) -> None:
    for model in ("minGRU", TRANSFORMER):
        trial = Trial(
            "properties", {"domain": domain, "model": model}, seed=0, budget="smoke",
            settings={**SMOKE, "context": 64, "steps": 60, "batch": 8},
        )  # fmt: skip
        found = {
            (item.metric, item.split): item.value for item in page.run(trial) if isinstance(item, Measurement)
        }
        vocabulary = {page.CODE: 512, page.CHORALES: page.VOCABULARY, page.PLAYS: 65}[domain]
        assert found["bits_per_token", "test"] < math.log2(vocabulary) - 1
