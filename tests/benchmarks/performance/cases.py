"""What is timed: which model, at which sizes, on which data, by which contenders?

Plain NumPy: this file is read by processes that hold MLX and by processes that hold PyTorch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Phase = Literal["training", "decoding", "scan"]
Library = Literal["ours", "stock", "pytorch"]
Weights = dict[str, np.ndarray]

RECURRENT = ("RNN", "LSTM", "GRU")
MODELS = (*RECURRENT, "minGRU", "Transformer", "ViT", "PatchTST")
LENGTHS = (64, 256, 1024)

WIDTH, DEPTH, HEADS, HIDDEN, VOCABULARY, BATCH = 64, 2, 4, 256, 64, 32
IMAGE, PATCH, CLASSES = 28, 4, 10  # MNIST's images in 7 x 7 patches
LOOKBACK, HORIZON, CHANNELS, WINDOWS = 512, 96, 7, 16  # ETTh1's channels; PatchTST/64 of Nie et al. (2023)
SERIES_PATCH, STRIDE = 16, 8
TOKENS = 32  # written after a prompt
LEARNING_RATE, WEIGHT_DECAY, MAX_NORM = 1e-3, 0.01, 1.0


@dataclass(frozen=True)
class Case:
    """One model in one phase. `length` is that of a sequence or a prompt; of a ViT, its patches.

    The phase scan is the recurrence of minGRU by itself, forward and backward.
    """

    model: str
    phase: Phase
    length: int
    batch: int


@dataclass(frozen=True)
class Contender:
    """One way to compute a case; with `loop`, the steps of a scan are taken one after another."""

    name: str
    library: Library
    compiled: bool = False
    loop: bool = False


EAGER = Contender("ours", "ours")
COMPILED = Contender("ours, compiled", "ours", compiled=True)
LOOP = Contender("ours, as a loop", "ours", loop=True)
PYTORCH = Contender("PyTorch", "pytorch")
STOCK = Contender("stock mlx.nn", "stock")


def cases(models: Sequence[str], lengths: Sequence[int], phases: Sequence[Phase]) -> list[Case]:
    """Every case of these models: ViT and PatchTST train at shapes of their own and do not decode."""
    found = []
    for model in models:
        if model == "ViT":
            found += [Case(model, "training", (IMAGE // PATCH) ** 2, BATCH)]
        elif model == "PatchTST":
            found += [Case(model, "training", LOOKBACK, WINDOWS)]
        else:
            found += [Case(model, "training", length, BATCH) for length in lengths]
            prompts = lengths if model == "Transformer" else lengths[:1]  # a recurrent state never grows
            sizes = [(length, batch) for length in prompts for batch in (1, BATCH)]
            found += [Case(model, "decoding", *each) for each in sizes]
        if model == "minGRU":
            found += [Case(model, "scan", length, BATCH) for length in lengths]
    return [case for case in found if case.phase in phases]


def contenders(case: Case, *, compiled: bool, pytorch: bool) -> list[Contender]:
    """Who takes part. mlx.nn has no scanned recurrence, and no attention with a cache."""
    found = [EAGER, COMPILED] if compiled else [EAGER]
    if case.phase == "scan":
        found.append(LOOP)
    if pytorch:
        found.append(PYTORCH)
    if case.model in RECURRENT or (case.phase == "training" and case.model != "minGRU"):
        found.append(STOCK)
    return found


def batch(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets, the same for every contender; of decoding, prompts; of a scan, its a and b."""
    rng = np.random.default_rng(0)
    if case.phase == "scan":
        shape = (case.batch, case.length, WIDTH)
        return rng.random(shape, np.float32), rng.standard_normal(shape, np.float32)
    if case.model == "ViT":
        images = rng.random((case.batch, IMAGE, IMAGE), np.float32)
        return images, rng.integers(CLASSES, size=case.batch, dtype=np.int32)
    if case.model == "PatchTST":
        series = rng.standard_normal((case.batch, LOOKBACK + HORIZON, CHANNELS), np.float32).cumsum(axis=1)
        return series[:, :LOOKBACK], series[:, LOOKBACK:]
    tokens = rng.integers(VOCABULARY, size=(case.batch, case.length + 1), dtype=np.int32)
    return tokens[:, :-1], tokens[:, 1:]
