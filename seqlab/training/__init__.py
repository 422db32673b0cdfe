"""How is a model trained, so that a comparison is fair and a kill costs a minute at most?

The one door for page authors: `from seqlab.training import TunedRate, train`.
"""

from seqlab.training.loop import fit
from seqlab.training.optimizer import adamw
from seqlab.training.rates import TunedRate, tuned_or_searched_rate
from seqlab.training.recipes import (
    TRIED_RATES,
    TUNING_SEED,
    EvaluationSet,
    Recipe,
    search_rate,
    train,
    train_together,
)
from seqlab.training.recorded import Recorded
from seqlab.training.seeds import fit_seeds
from seqlab.training.step import Batch, training_step

__all__ = [
    "TRIED_RATES", "TUNING_SEED", "Batch", "EvaluationSet", "Recipe", "Recorded", "TunedRate", "adamw", "fit",
    "fit_seeds", "search_rate", "train", "train_together", "training_step", "tuned_or_searched_rate",
]  # fmt: skip
