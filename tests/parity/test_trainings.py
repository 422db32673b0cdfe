"""The networks that PyTorch trains beside ours are as large as ours, and start as ignorant."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.benchmarks.trainings import ours, pytorch
from tests.benchmarks.trainings.cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=str)
def test_networks_are_of_the_same_size_and_start_at_chance(case: Case) -> None:
    described = ours.describe(case)
    pytorch.prepare(case, described)()  # raises where the parameters differ
    inputs, targets = (torch.from_numpy(part.astype(np.int64)) for part in described.batches[0])
    torch.manual_seed(0)
    loss = functional.cross_entropy(pytorch.Model(described.sizes)(inputs).flatten(0, -2), targets.flatten())
    assert 0.8 < loss.item() / math.log(described.sizes["outputs"]) < 1.5
    ours.prepare(case, described)()
