"""Are the shapes in signatures checked under test? See `conftest`."""

import mlx.core as mx
import pytest
from jaxtyping import TypeCheckError

from seqlab.models import gru


def test_a_call_that_breaks_its_signature_is_refused() -> None:
    model = gru.Model(gru.Config(width=8))
    assert model(mx.zeros((2, 5, 8))).shape == (2, 5, 8)
    with pytest.raises(TypeCheckError):
        model(mx.zeros((5, 8)))
    with pytest.raises(TypeCheckError):
        model(mx.zeros((2, 5, 8), dtype=mx.int32))
