"""The same networks in plain PyTorch, as its own documentation would write them, eager, float32."""

import math
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks.performance.pytorch_models import scan
from tests.benchmarks.trainings.cases import Case, Described

HEADS, KERNEL, BASE = 4, 3, 10_000.0
TOLERANCE = 0.02  # of the parameters: nn.LSTM has a second bias


def rotate(x: Tensor) -> Tensor:
    """Rotary positions (Su et al., 2021)."""
    half = x.shape[-1] // 2
    frequencies = torch.exp(torch.arange(half) * (-2 * math.log(BASE) / x.shape[-1]))
    angles = torch.arange(x.shape[-2])[:, None] * frequencies
    cos, sin = angles.cos(), angles.sin()
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


class Attention(nn.Module):
    """Fused causal attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_qkv, self.to_output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        size, length, width = x.shape
        q, k, v = self.to_qkv(x).view(size, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
        return self.to_output(y.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Widen, ReLU, narrow."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(functional.relu(self.widen(x)))


class Recurrent(nn.Module):
    """`nn.RNN` or `nn.LSTM`, and the projection back to the width."""

    def __init__(self, kind: type[nn.RNNBase], width: int, hidden: int) -> None:
        super().__init__()
        self.cell, self.project = kind(width, hidden, batch_first=True), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.cell(x)[0])


class MinGRU(nn.Module):
    """By a scan in chunks, as ours."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.to_gate_and_candidate, self.project = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, candidate = self.to_gate_and_candidate(x).chunk(2, dim=-1)
        a, b = torch.sigmoid(-gate), torch.sigmoid(gate) * candidate
        return self.project(scan(a, b, torch.zeros_like(b[:, 0])))


class Convolutions(nn.Module):
    """Two dilated causal convolutions with ReLUs."""

    def __init__(self, width: int, hidden: int, dilation: int) -> None:
        super().__init__()
        self.pad = (KERNEL - 1) * dilation
        self.first = nn.Conv1d(width, hidden, KERNEL, dilation=dilation)
        self.second = nn.Conv1d(hidden, width, KERNEL, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.first(functional.pad(x.transpose(1, 2), (self.pad, 0))))
        return functional.relu(self.second(functional.pad(y, (self.pad, 0)))).transpose(1, 2)


def layers(sizes: Mapping[str, Any]) -> list[nn.Module]:
    """The residual layers of a network."""
    width, hidden, depth = sizes["width"], sizes["hidden"], sizes["depth"]
    match sizes["model"]:
        case "Transformer":
            return [layer for _ in range(depth) for layer in (Attention(width), MLP(width, hidden))]
        case "RNN" | "LSTM" as name:
            return [Recurrent(getattr(nn, name), width, hidden) for _ in range(depth)]
        case "minGRU":
            return [MinGRU(width, hidden) for _ in range(depth)]
    return [Convolutions(width, hidden, 2**block) for block in range(depth)]


class Model(nn.Module):
    """Tokens to logits, by residual layers on normalised inputs."""

    def __init__(self, sizes: Mapping[str, Any]) -> None:
        super().__init__()
        width = sizes["width"]
        self.embedding = nn.Embedding(sizes["inputs"], width)
        self.places = nn.Embedding(sizes["period"], width) if sizes["period"] else None
        self.layers = nn.ModuleList(layers(sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.layers)
        self.norm, self.to_logits = nn.LayerNorm(width), nn.Linear(width, sizes["outputs"])

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim)
        if self.places is not None:
            x = x + self.places(torch.arange(tokens.shape[1]) % self.places.num_embeddings)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(norm(x))
        return self.to_logits(self.norm(x))


def prepare(case: Case, described: Described) -> Callable[[], object]:
    """A training step on the next of the batches; each call takes one. AdamW is fused, gradients clipped."""
    torch.manual_seed(0)
    model = Model(described.sizes)
    found = sum(each.numel() for each in model.parameters())
    if abs(found / described.parameters - 1) > TOLERANCE:
        raise RuntimeError(f"{case}: expected {described.parameters} parameters, found {found}.")
    groups = [
        {"params": [p for p in model.parameters() if (p.ndim >= 2) is matrices], "weight_decay": decay}
        for matrices, decay in ((True, 0.01), (False, 0.0))
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
    drawn = cycle(described.batches)

    def once() -> None:
        inputs, targets = (torch.from_numpy(part.astype(np.int64)) for part in next(drawn))
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(model(inputs).flatten(0, -2), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()

    return once
