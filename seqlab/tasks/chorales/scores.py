"""In which numbers is a prediction of chorales reported?"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from seqlab.notebook.metrics import Measurement
from seqlab.tasks.chorales.dataset import SplitName


def scores(bits: Float64[np.ndarray, "T 4"], split: SplitName) -> Iterator[Measurement]:
    """Bits per token, overall and of each voice (its number is the step), and nats per frame.

    `bits` holds -log2 of the probability of each token, a row for each frame.
    """
    yield Measurement("bits_per_token", float(bits.mean()), split)
    yield Measurement("nats_per_frame", float(bits.sum(axis=1).mean()) * math.log(2), split)
    for number, voice in enumerate(bits.mean(axis=0), start=1):
        yield Measurement("voice_bits", float(voice), split, step=number)
