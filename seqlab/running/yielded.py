"""What does a trial yield, and from which random numbers? All of `running` that has a part in a result.

It is short on purpose: a change in here makes every stored result of every page old.
"""

from collections.abc import Iterable

from seqlab.machine.seeding import seed_all
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.metrics import Measurement


def yielded(experiment: Experiment, trial: Trial) -> Iterable[Measurement | Artifact]:
    """The trial's measurements and artifacts, one by one as they come; raises what the page raises."""
    seed_all(trial.seed)
    return experiment.run(trial)
