"""How is a page's network trained here: by the page's own recipe and the loop of all pages?"""

from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import cycle, islice
from typing import Any

import mlx.core as mx
import numpy as np

from seqlab.models.sizing import parameters
from seqlab.notebook import Trial
from seqlab.training.optimizer import adamw
from seqlab.training.step import compile_pays, training_step
from tests.benchmarks.trainings.cases import POOL, Case, Described


def recipe_of(case: Case) -> Any:
    """The page's recipe at its protocol."""
    page = import_module(f"experiments.{case.page}")
    factors = {"model": case.model, **dict(case.factors)}
    return Trial(case.page, factors, 0, "quick", {**page.experiment.protocol}).fill(page.Recipe)


def describe(case: Case) -> Described:
    """What another library must know."""
    recipe = recipe_of(case)
    model, batches = recipe.start(0)
    pool = [tuple(np.array(part) for part in batch) for batch in islice(batches, POOL)]
    backbone = model.backbone
    config = backbone.config
    sizes = {
        "model": case.model,
        "width": config.width,
        "depth": config.depth,
        "hidden": getattr(config, "hidden", None) or config.width,
        "inputs": model.embedding.weight.shape[0],
        "outputs": model.to_logits.weight.shape[0],
        "period": model.period,
    }
    return Described(sizes, parameters(model), pool, recipe.steps)


def prepare(case: Case, described: Described) -> Callable[[], object]:
    """A training step, as `seqlab.training.loop` takes it; each call takes one."""
    recipe = recipe_of(case)
    model, _ = recipe.start(0)
    optimizer = adamw(1e-3, weight_decay=0.01)
    optimizer.init(model.trainable_parameters())
    step = training_step(
        model, recipe.loss, optimizer, max_norm=1.0, precision="float32",
        compiled=compile_pays(model, recipe.steps),
    )  # fmt: skip
    drawn: Iterator[tuple[np.ndarray, ...]] = cycle(described.batches)
    model.train()

    def once() -> None:
        loss, norm, state = step(*map(mx.array, next(drawn)))
        mx.eval(loss, norm, state)

    return once
