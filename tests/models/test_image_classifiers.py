"""Are the image classifiers as large as each other, and do they classify what is asked?"""

import mlx.core as mx
import pytest

from seqlab.models.image_classifiers import CLASSIFIERS, VIT, Size, build
from seqlab.models.sizing import parameters

SMALL = Size(width=32, depth=2, patch=7)


@pytest.mark.parametrize("size", [SMALL, Size(width=48, depth=2, patch=4)])
def test_all_networks_have_the_vision_transformers_parameters(size: Size) -> None:
    target = parameters(build(VIT, size, seed=0))
    for name in CLASSIFIERS:
        assert parameters(build(name, size, seed=0)) == pytest.approx(target, rel=0.02), name


def test_every_network_gives_a_logit_for_each_class() -> None:
    for name in CLASSIFIERS:
        assert build(name, SMALL, seed=0)(mx.zeros((2, 28, 28))).shape == (2, 10), name


def test_the_seed_alone_decides_the_weights() -> None:
    images = mx.random.normal((1, 28, 28), key=mx.random.key(0))
    for name in CLASSIFIERS:
        first, again, other = (build(name, SMALL, seed=seed)(images) for seed in (1, 1, 2))
        assert mx.array_equal(first, again), name
        assert not mx.array_equal(first, other), name
