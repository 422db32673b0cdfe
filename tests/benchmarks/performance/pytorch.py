"""The same models in PyTorch, eager: trained, decoded and weighed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.performance import sizes as n
from tests.benchmarks.performance.cases import RECURRENT, Case, Contender, Weights, batch
from tests.benchmarks.performance.job import Job, unclipped
from tests.benchmarks.performance.pytorch_models import LanguageModel, build, scan
from tests.benchmarks.performance.weights import below, pytorch_recurrent


def translated(case: Case, ours: Weights) -> Weights:
    """Our weights under PyTorch's names."""
    if case.model in RECURRENT:
        found = {name: value for name, value in ours.items() if not name.startswith("backbone.")}
        cells = [below(ours, f"backbone.cells.{layer}.") for layer in range(n.DEPTH)]
        stack = pytorch_recurrent(case.model, cells)
        return found | {f"backbone.stack.{name}": value for name, value in stack.items()}
    # Our table of positions is a module's parameter, here it is a parameter.
    return {
        name.partition("positions.")[0] + "positions" if "positions." in name else name: value
        for name, value in ours.items()
    }


def prepare(case: Case, contender: Contender, weights: Weights | None) -> Job:
    """The PyTorch model with our weights."""
    if case.phase == "scan":
        return recurrence(case)
    assert weights is not None, "our weights come first"
    model = build(case)
    state = {name: torch.from_numpy(value) for name, value in translated(case, weights).items()}
    model.load_state_dict(state, strict=True)
    return training(case, model) if case.phase == "training" else decoding(case, model)


def training(case: Case, model: nn.Module) -> Job:
    """One step of AdamW; it gives the loss before the step."""
    inputs, targets = (torch.from_numpy(np.ascontiguousarray(part)) for part in batch(case))
    if case.model != "PatchTST":
        targets = targets.flatten().long()  # the type that its cross entropy wants; not timed
    # As ours: only matrices decay.
    groups = [
        {"params": [p for p in model.parameters() if (p.ndim >= 2) is matrices], "weight_decay": decay}
        for matrices, decay in ((True, n.WEIGHT_DECAY), (False, 0.0))
    ]
    optimizer = torch.optim.AdamW(groups, lr=n.LEARNING_RATE, fused=True)
    norm = torch.tensor(0.0)

    def step() -> np.ndarray:
        nonlocal norm
        optimizer.zero_grad(set_to_none=True)
        outputs = model(inputs)
        if case.model == "PatchTST":
            loss = functional.mse_loss(outputs, targets)
        else:
            loss = functional.cross_entropy(outputs.flatten(0, -2), targets)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), n.MAX_NORM)
        optimizer.step()
        return loss.detach().numpy()

    def gradient() -> float:
        moments = [optimizer.state[each]["exp_avg"] for each in model.parameters() if each.ndim > 1]
        return unclipped(float(torch.cat([each.flatten() for each in moments]).norm()), float(norm))

    def peak_of_step() -> int:
        optimizer.zero_grad(set_to_none=True)  # the gradients of the step before are not this one's
        return peak(step)

    return Job(step, peak_of_step, {}, gradient=gradient)


def recurrence(case: Case) -> Job:
    """The scan and its gradient; it gives the first step's gradient in the first sequence."""
    a, b = (torch.from_numpy(part).requires_grad_() for part in batch(case))
    start = torch.zeros(b.shape[0], b.shape[2])

    def step() -> np.ndarray:
        a.grad = b.grad = None
        scan(a, b, start).square().sum().backward()
        return np.stack([each.grad[0, 0].numpy() for each in (a, b)])

    return Job(step, lambda: peak(step), {})


def decoding(case: Case, model: LanguageModel) -> Job:
    """Greedy, from the cache or the states that the layers were left with."""
    prompt = torch.from_numpy(np.ascontiguousarray(batch(case)[0]))
    now: list[Any] = []

    @torch.inference_mode()
    def reset() -> None:
        now[:] = model.extend(prompt, None)

    @torch.inference_mode()
    def step() -> np.ndarray:
        tokens, state = now
        found = []
        for _ in range(n.TOKENS):
            tokens, state = model.extend(tokens[:, None], state)
            found.append(tokens.numpy())
        return np.stack(found, axis=1)

    def whole() -> None:
        reset()
        step()

    return Job(step, lambda: peak(whole), {}, reset, parts=n.TOKENS)


def peak(step: Callable[[], object]) -> int:
    """Most bytes that PyTorch's allocator held at once during a step, beyond those of before."""
    with quiet(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return int(max(np.cumsum([0, *changes])))


@contextmanager
def quiet() -> Iterator[None]:
    """Without standard error, where PyTorch's profiler reports that it starts and stops."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
