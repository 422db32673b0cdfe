"""The benchmarked models in plain PyTorch, as its own documentation would write them.

Parameters have the names of ours where the layers are the same, so that weights load by name.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks.performance import sizes as n
from tests.benchmarks.performance.cases import Case

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


class Recurrent(nn.Module):
    """`nn.RNN`, `nn.LSTM` or `nn.GRU`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.stack = LAYERS[kind](n.WIDTH, n.WIDTH, num_layers=n.DEPTH, batch_first=True)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return self.stack(x, state)


class MinGRULayer(nn.Module):
    """One layer of minGRU; the scan is by chunks of √L, in PyTorch too the fastest of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.to_gate_and_candidate = nn.Linear(n.WIDTH, 2 * n.WIDTH)

    def forward(self, x: Tensor, start: Tensor | None) -> tuple[Tensor, Tensor]:
        gate, candidate = self.to_gate_and_candidate(x).chunk(2, dim=-1)
        a, b = torch.sigmoid(-gate), torch.sigmoid(gate) * candidate
        start = torch.zeros_like(b[:, 0]) if start is None else start
        h = (a * start[:, None] + b) if x.shape[1] == 1 else scan(a, b, start)
        return h, h[:, -1]


def scan(a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """h_t = a_t h_{t-1} + b_t: chunks side by side, then their ends one after another."""
    shape = a.shape
    size = max(each for each in range(1, math.isqrt(shape[1]) + 1) if shape[1] % each == 0)
    a, b = (x.reshape(shape[0], -1, size, shape[2]) for x in (a, b))
    products, states = [a[:, :, 0]], [b[:, :, 0]]
    for factor, term in zip(a.unbind(2)[1:], b.unbind(2)[1:], strict=True):
        products.append(factor * products[-1])
        states.append(factor * states[-1] + term)
    starts = [start]
    for factor, term in zip(products[-1].unbind(1), states[-1].unbind(1), strict=True):
        starts.append(factor * starts[-1] + term)
    h = torch.stack(products, 2) * torch.stack(starts[:-1], 1)[:, :, None] + torch.stack(states, 2)
    return h.reshape(shape)


class MinGRU(nn.Module):
    """A stack of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList(MinGRULayer() for _ in range(n.DEPTH))

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        after = []
        for layer, cell in enumerate(self.cells):
            x, last = cell(x, None if state is None else state[layer])
            after.append(last)
        return x, after


class Attention(nn.Module):
    """Fused scaled dot-product attention, with keys and values written in place into a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(n.WIDTH, 3 * n.WIDTH)
        self.to_output = nn.Linear(n.WIDTH, n.WIDTH)

    def forward(self, x: Tensor, *, causal: bool, cache: Any, position: int) -> Tensor:
        size, length, _ = x.shape
        q, k, v = self.to_qkv(x).view(size, length, 3, n.HEADS, n.WIDTH // n.HEADS).permute(2, 0, 3, 1, 4)
        if cache is not None:
            end = position + length
            cache[0][:, :, position:end], cache[1][:, :, position:end] = k, v
            k, v = cache[0][:, :, :end], cache[1][:, :, :end]
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=causal and length > 1)
        return self.to_output(y.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Norm, widen, ReLU, narrow."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n.WIDTH)
        self.widen = nn.Linear(n.WIDTH, n.HIDDEN)
        self.narrow = nn.Linear(n.HIDDEN, n.WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(functional.relu(self.widen(self.norm(x))))


class Block(nn.Module):
    """Attention, then an MLP, each on normalised input and added back."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(n.WIDTH)
        self.attention = Attention()
        self.mlp = MLP()

    def forward(self, x: Tensor, *, causal: bool, cache: Any = None, position: int = 0) -> Tensor:
        x = x + self.attention(self.attention_norm(x), causal=causal, cache=cache, position=position)
        return x + self.mlp(x)


class Transformer(nn.Module):
    """Blocks after learned positions; a state is the position and each block's cache."""

    def __init__(self, longest: int) -> None:
        super().__init__()
        self.longest = longest
        self.positions = nn.Parameter(torch.zeros(longest, n.WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(n.DEPTH))

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        if state is None and not torch.is_grad_enabled():  # a prompt is read
            shape = (x.shape[0], n.HEADS, self.longest, n.WIDTH // n.HEADS)
            state = 0, [(torch.empty(shape), torch.empty(shape)) for _ in self.blocks]
        position, caches = state or (0, [None] * n.DEPTH)
        end = position + x.shape[1]
        x = x + self.positions[position:end]
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block(x, causal=True, cache=cache, position=position)
        return x, (end, caches)


class LanguageModel(nn.Module):
    """Tokens to logits."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n.VOCABULARY, n.WIDTH)
        self.backbone = backbone
        self.norm = nn.LayerNorm(n.WIDTH)
        self.to_logits = nn.Linear(n.WIDTH, n.VOCABULARY)

    def extend(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The most probable token after the last."""
        y, state = self.backbone(self.embedding(tokens) * math.sqrt(n.WIDTH), state)
        return self.to_logits(self.norm(y[:, -1])).argmax(-1), state

    def forward(self, tokens: Tensor) -> Tensor:
        return self.to_logits(self.norm(self.backbone(self.embedding(tokens) * math.sqrt(n.WIDTH))[0]))


class ViT(nn.Module):
    """Images to the logits of their classes."""

    def __init__(self) -> None:
        super().__init__()
        self.side = n.IMAGE // n.PATCH
        self.to_width = nn.Linear(n.PATCH**2, n.WIDTH)
        self.positions = nn.Parameter(torch.zeros(self.side**2, n.WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(n.DEPTH))
        self.norm = nn.LayerNorm(n.WIDTH)
        self.to_logits = nn.Linear(n.WIDTH, n.CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        squares = images.view(-1, self.side, n.PATCH, self.side, n.PATCH).transpose(2, 3)
        x = self.to_width(squares.reshape(-1, self.side**2, n.PATCH**2)) + self.positions
        for block in self.blocks:
            x = block(x, causal=False)
        return self.to_logits(self.norm(x).mean(1))


class PatchTST(nn.Module):
    """Windows to forecasts."""

    def __init__(self) -> None:
        super().__init__()
        patches = (n.LOOKBACK - n.SERIES_PATCH) // n.STRIDE + 2
        self.to_width = nn.Linear(n.SERIES_PATCH, n.WIDTH)
        self.positions = nn.Parameter(torch.zeros(patches, n.WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(n.DEPTH))
        self.norm = nn.LayerNorm(n.WIDTH)
        self.to_forecast = nn.Linear(patches * n.WIDTH, n.HORIZON)

    def forward(self, window: Tensor) -> Tensor:
        variance, mean = torch.var_mean(window, dim=1, keepdim=True, correction=0)
        scale = torch.sqrt(variance + 1e-5)
        series = ((window - mean) / scale).transpose(1, 2)
        series = functional.pad(series, (0, n.STRIDE), mode="replicate").flatten(0, 1)
        x = self.to_width(series.unfold(-1, n.SERIES_PATCH, n.STRIDE)) + self.positions
        for block in self.blocks:
            x = block(x, causal=False)
        forecast = self.to_forecast(self.norm(x).flatten(1))
        return forecast.view(-1, window.shape[2], n.HORIZON).transpose(1, 2) * scale + mean


def build(case: Case) -> nn.Module:
    """The model of a case."""
    match case.model:
        case "ViT":
            return ViT()
        case "PatchTST":
            return PatchTST()
        case "minGRU":
            return LanguageModel(MinGRU())
        case "Transformer":
            return LanguageModel(Transformer(case.length + n.TOKENS))
    return LanguageModel(Recurrent(case.model))
