"""Which artifacts does a figure show? Those of the first good seed of each point, and of no other.

So no page can pick the seed that looks best. Artifacts are read only here, one name at a time, when a figure
shows them: judging never waits for them.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from seqlab.analysis.evidence import Evidence, Run
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.figures import ArtifactFigure, Level, matches
from seqlab.store.database import Store


@dataclass(frozen=True)
class SelectedArtifact:
    """An artifact with its run; `levels` are the run's levels of the figure's factors `by`."""

    artifact: Artifact
    run: int
    levels: Mapping[str, Level]
    factors: Mapping[str, Level]
    seed: int


def select_artifacts(
    evidence: Evidence, figure: ArtifactFigure, store: Store
) -> tuple[SelectedArtifact, ...]:
    """The artifacts of the figure in the order of the page's points.

    A point whose first good seed yielded no artifact of that name is left out.
    """
    first: dict[Hashable, Run] = {}
    for run in evidence.good_runs:  # in the order of the page's points
        point = run.key[0]
        if matches(run.factors, figure.where) and (point not in first or run.seed < first[point].seed):
            first[point] = run
    found = store.artifacts([run.run for run in first.values()], figure.artifact)
    return tuple(
        SelectedArtifact(
            found[run.run],
            run.run,
            {name: run.factors[name] for name in figure.by if name in run.factors},
            run.factors,
            run.seed,
        )
        for run in first.values()
        if run.run in found
    )
