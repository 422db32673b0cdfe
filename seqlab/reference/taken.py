"""What does the reference take of a stored run? Nothing that depends on the machine or tells where it lay."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.experiment import Experiment
from seqlab.notebook.metrics import METRICS
from seqlab.reference import public
from seqlab.reference.entry import Entry, Series
from seqlab.reference.fitting import shown_artifacts
from seqlab.reference.manifest import Code
from seqlab.store.database import Record, Store


def entries_of(
    page: Experiment, store: Store, records: Sequence[Record], *, root: Path, told: list[str]
) -> Iterator[Entry]:
    """These runs of the page; lines on what is left out of them are added to what is `told`."""
    numbers = [record.id for record in records]
    series = _series(store, numbers)
    artifacts = _artifacts(page, store, numbers, root, told)
    about = _circumstances(store, numbers)
    used = store.used(page.name)
    for record in records:
        good = record.status == "ok"
        yield Entry(
            factors=json.loads(record.factors),
            settings=json.loads(record.settings),
            seed=record.seed,
            status=record.status,
            seconds=record.seconds,
            date=record.started[:10],
            code=Code(record.fingerprint, public.used(used.get(record.used, {}))),
            about=public.about(about[record.id], device=record.device, mlx=record.mlx),
            series=series.get(record.id, {}) if good else {},
            artifacts=tuple(artifacts.get(record.id, ())) if good else (),
            error=public.message(record.error),
        )


def _circumstances(store: Store, numbers: Sequence[int]) -> dict[int, dict[str, object]]:
    rows = store.rows(
        "SELECT r.id, p.json FROM run r JOIN provenance p ON p.id = r.provenance "
        "WHERE r.id IN (SELECT value FROM json_each(?))",
        (json.dumps(numbers),),
    )
    return {run: json.loads(text) for run, text in rows}


def _series(store: Store, numbers: Sequence[int]) -> dict[int, dict[tuple[str, str], Series]]:
    """What each run measured that does not depend on the machine."""
    found: dict[int, dict[tuple[str, str], Series]] = {}
    for run, metric, split, step, value in store.measured(numbers):
        if metric in METRICS and not METRICS[metric].of_machine:
            found.setdefault(run, {}).setdefault((metric, split), []).append((step, value))
    return found


def _artifacts(
    page: Experiment, store: Store, numbers: Sequence[int], root: Path, told: list[str]
) -> dict[int, list[Artifact]]:
    """The artifacts that the page's figures show, by run."""
    found: dict[int, list[Artifact]] = {}
    for name in sorted(shown_artifacts(page)):
        private = 0
        for run, artifact in store.artifacts(numbers, name).items():
            if public.is_private(artifact.data, root):
                private += 1
            else:
                found.setdefault(run, []).append(artifact)
        if private:
            told.append(f"{page.name}: {private} of {name} are left out, since they name folders here.")
    return found
