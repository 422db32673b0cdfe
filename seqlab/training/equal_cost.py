"""How many steps of one network cost as much as the training of another, in operations or in time?"""

from collections.abc import Callable
from functools import cache, partial
from statistics import median

from seqlab.measure.flops import training_step_flops
from seqlab.measure.timing import seconds
from seqlab.notebook.experiment import TUNING_SEED
from seqlab.training.optimizer import adamw
from seqlab.training.recipes import Recipe
from seqlab.training.step import training_step

STEPS, WORK, TIME = "equal steps", "equal work", "equal time"
BLOCKS = 5  # of a timing, in each of which both networks take a step


def steps_at(equal: str, recipe: Recipe, reference: Recipe) -> int:
    """The steps at which `recipe` has trained as much as the reference: `equal` is STEPS, WORK or TIME."""
    if equal == STEPS or recipe == reference:
        return reference.steps
    return {WORK: steps_of_equal_work, TIME: steps_of_equal_time}[equal](recipe, reference)


def steps_of_equal_work(recipe: Recipe, reference: Recipe) -> int:
    """The steps that take as many operations as the reference takes in its own."""
    return max(1, round(reference.steps * step_work(reference) / step_work(recipe)))


def steps_of_equal_time(recipe: Recipe, reference: Recipe) -> int:
    """The steps that take as long on this machine as the reference takes for its own."""
    return max(1, round(reference.steps / step_time_ratio(recipe, reference)))


@cache
def step_work(recipe: Recipe) -> int:
    """Operations (FLOP) of a training step."""
    model, batches = recipe.start(TUNING_SEED)
    return training_step_flops(model, recipe.loss, *next(batches))


@cache  # one measurement for all seeds
def step_time_ratio(recipe: Recipe, reference: Recipe) -> float:
    """The time of a training step over that of the reference: the median of blocks, in turn."""
    steps: list[Callable[[], object]] = []
    for each in (recipe, reference):
        model, batches = each.start(TUNING_SEED)
        optimizer = adamw(1e-6)
        optimizer.init(model.trainable_parameters())
        step = partial(training_step(model, each.loss, optimizer, steps=each.steps), *next(batches))
        seconds(step)  # the first may compile
        steps.append(step)
    return median(seconds(own) / seconds(other) for own, other in (steps for _ in range(BLOCKS)))
