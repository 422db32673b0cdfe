"""Are features dropped in training, and in training alone?"""

import mlx.core as mx
import numpy as np

from seqlab.models.backbones import Size, build
from seqlab.models.dropout import DropoutHead


def test_features_are_dropped_in_training_alone() -> None:
    plain, dropping = (
        build("minGRU", Size(16, length=24), DropoutHead(65, share), seed=0) for share in (0.0, 0.5)
    )
    tokens = mx.arange(24)[None]
    assert not mx.array_equal(dropping(tokens), dropping(tokens))
    dropping.eval()
    np.testing.assert_array_equal(dropping(tokens), plain(tokens))
