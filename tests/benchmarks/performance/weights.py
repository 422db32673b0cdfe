"""Which of our parameters is which of PyTorch's, and of mlx.nn's?

Named arrays in, named arrays out, so that no library is needed. `cell` holds one layer's own names.
"""

import numpy as np

Weights = dict[str, np.ndarray]
# Our LSTM's gates are i, f, o, g; PyTorch's and mlx.nn's are i, f, g, o. The others agree.
ORDER = {"RNN": (0,), "LSTM": (0, 1, 3, 2), "GRU": (0, 1, 2)}


def below(weights: Weights, prefix: str) -> Weights:
    """What lies under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def regrouped(rows: np.ndarray, kind: str) -> np.ndarray:
    """Rows of our gates in the order of the others."""
    blocks = np.split(rows, len(ORDER[kind]))
    return np.concatenate([blocks[gate] for gate in ORDER[kind]])


def pytorch_recurrent(kind: str, cells: list[Weights]) -> Weights:
    """The state of `torch.nn.RNN`, `LSTM` or `GRU`, which have two biases a layer."""
    found = {}
    for layer, cell in enumerate(cells):
        found[f"weight_ih_l{layer}"] = regrouped(cell["input_weight"], kind)
        found[f"weight_hh_l{layer}"] = regrouped(cell["recurrent_weight"], kind)
        found[f"bias_ih_l{layer}"] = regrouped(cell["bias"], kind)
        found[f"bias_hh_l{layer}"] = cell.get("recurrent_bias", np.zeros_like(cell["bias"]))
    return found


def stock_recurrent(kind: str, cell: Weights) -> Weights:
    """The parameters of `mlx.nn.RNN`, `LSTM` or `GRU`."""
    weights = [regrouped(cell[name], kind) for name in ("input_weight", "recurrent_weight", "bias")]
    names = {"RNN": ("Wxh", "Whh", "bias"), "LSTM": ("Wx", "Wh", "bias"), "GRU": ("Wx", "Wh", "b")}[kind]
    found = dict(zip(names, weights, strict=True))
    if kind == "GRU":  # its second bias is there for the candidate alone
        reset, keep, candidate = np.split(cell["recurrent_bias"], 3)
        found["b"] = found["b"] + np.concatenate([reset, keep, np.zeros_like(candidate)])
        found["bhn"] = candidate
    return found


def stock_block(block: Weights) -> Weights:
    """The parameters of `mlx.nn.TransformerEncoderLayer`, whose attention has no biases."""
    names = {
        "ln1": "attention_norm",
        "attention.out_proj": "attention.to_output",
        "ln2": "mlp.norm",
        "linear1": "mlp.widen",
        "linear2": "mlp.narrow",
    }
    found = {
        f"{theirs}.{part}": block[f"{ours}.{part}"]
        for theirs, ours in names.items()
        for part in ("weight", "bias")
        if f"{theirs}.{part}" != "attention.out_proj.bias"
    }
    for name, rows in zip(
        ["query", "key", "value"], np.split(block["attention.to_qkv.weight"], 3), strict=True
    ):
        found[f"attention.{name}_proj.weight"] = rows
    return found
