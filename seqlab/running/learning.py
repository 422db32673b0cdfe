"""Which trials learn? Those tell of quality and not of time, so the reference may hold them."""

from seqlab.notebook.experiment import Experiment, Factors, Trial
from seqlab.notebook.metrics import metric_named
from seqlab.running.needs import Needs


def is_learning(page: Experiment) -> bool:
    """Whether trials of the page run side by side, and it asks for more than laws of arithmetic."""
    return bool(page.parallel_over) and not (
        page.claims and all(claim.rule.seeds == 1 for claim in page.claims)
    )


def learning(page: Experiment, planned: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """Those of the trials that learn: not those that measure time, nor those about arithmetic."""
    if not is_learning(page):
        return ()
    needs = Needs(page)

    def learns(factors: Factors) -> bool:
        alone = page.exclusive and page.exclusive.items() <= factors.items()
        served = [page.claims[place].rule for place in needs.claims(factors)]
        timed = any(metric_named(rule.metric).of_machine for rule in served)
        return not alone and not timed and not needs.arithmetic(factors)

    return tuple(trial for trial in planned if learns(trial.factors))
