"""How good are predicted probabilities, how near are they to others, and how do they depend on distance?

All functions take NumPy arrays: probabilities of the next token [B L V], tokens [B L]. Losses and divergences
are in nats.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int


def cross_entropy(
    probabilities: Float[np.ndarray, "B L V"], targets: Int[np.ndarray, "B L"]
) -> Float[np.ndarray, "B L"]:
    """The loss at each position."""
    return np.asarray(-np.log(np.take_along_axis(probabilities, targets[..., None], axis=2)[..., 0]))


def divergence(reference: Float[np.ndarray, "B L V"], probabilities: Float[np.ndarray, "B L V"]) -> float:
    """The mean Kullback-Leibler divergence of probabilities from a reference that is nowhere 0."""
    return float((reference * np.log(reference / probabilities)).sum(axis=2).mean())


def steps_since(tokens: Int[np.ndarray, "B L"]) -> Int[np.ndarray, "B L"]:
    """How many steps before each position its token last occurred; 0 where it never did."""
    found = np.zeros_like(tokens)
    last = np.full((len(tokens), tokens.max() + 1), -1)
    rows = np.arange(len(tokens))
    for step, token in enumerate(tokens.T):
        before = last[rows, token]
        found[:, step] = np.where(before < 0, 0, step - before)
        last[rows, token] = step
    return found


def mark_below(steps: Int[np.ndarray, "*S"], marks: Sequence[int]) -> Int[np.ndarray, "*S"]:
    """The largest of the rising `marks` that is no more than each; 0 below them all."""
    return np.asarray(np.array([0, *marks])[np.searchsorted(marks, steps, side="right")])


def mean_by(
    values: Float[np.ndarray, "B L"], groups: Int[np.ndarray, "B L"], wanted: Sequence[int]
) -> Mapping[int, float]:
    """The mean of the values in each wanted group that has any."""
    members = {group: values[groups == group] for group in wanted}
    return {group: float(found.mean()) for group, found in members.items() if len(found)}
