"""How is a model trained, so that a comparison is fair and a kill costs a minute at most?

The one door for page authors: `from seqlab.training import TunedRate, train`.
"""

from seqlab.training.loop import fit
from seqlab.training.optimizer import adamw
from seqlab.training.rates import TunedRate
from seqlab.training.recipes import TRIED_RATES, TUNING_SEED, EvaluationSet, Recipe, train
from seqlab.training.seeds import fit_seeds
from seqlab.training.step import Batch, training_step

__all__ = [
    "TRIED_RATES", "TUNING_SEED", "Batch", "EvaluationSet", "Recipe", "TunedRate", "adamw", "fit",
    "fit_seeds", "train", "training_step",
]  # fmt: skip
