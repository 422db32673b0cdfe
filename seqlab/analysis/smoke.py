"""Does a page work? All that the smoke budget says, since its toy settings are no evidence for a claim."""

from collections import Counter
from collections.abc import Sequence

from seqlab.analysis.evidence import GOOD, Evidence
from seqlab.notebook.experiment import Trial


def smoke_result(evidence: Evidence, planned: Sequence[Trial]) -> str:
    """`smoke: works`, or how many of the planned trials ended in which other way or have not run."""
    status = {run.key: run.status for run in evidence.all_runs}
    ends = Counter(status.get((frozenset(trial.factors.items()), trial.seed), "not run") for trial in planned)
    wrong = [f"{count} {end}" for end, count in sorted(ends.items()) if end != GOOD]
    if wrong:
        return f"smoke: of {len(planned)} trials {', '.join(wrong)}"
    return "smoke: works" if planned else "smoke: no trials"
