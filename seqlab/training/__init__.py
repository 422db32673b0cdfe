"""How is a model trained, so that a comparison is fair and a kill costs at most a minute?

Page authors import everything from here: `from seqlab.training import TriedRates, train`.
"""

from seqlab.notebook.experiment import TUNING_SEED
from seqlab.training.loop import fit
from seqlab.training.optimizer import adamw
from seqlab.training.rates import trial_rate
from seqlab.training.recipes import (
    EvaluationSet,
    Recipe,
    TrainedModel,
    fresh_batches,
    search_rate,
    train,
    train_once,
    train_together,
)
from seqlab.training.recorded import Recorded
from seqlab.training.seeds import fit_seeds
from seqlab.training.step import Batch, training_step
from seqlab.training.tried import TriedRates

__all__ = [
    "TUNING_SEED", "Batch", "EvaluationSet", "Recipe", "Recorded", "TrainedModel", "TriedRates",
    "adamw", "fit", "fit_seeds", "fresh_batches", "search_rate", "train", "train_once", "train_together",
    "training_step", "trial_rate",
]  # fmt: skip
