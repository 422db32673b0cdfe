"""How is the reference read like any other results? As a database of them, beside this machine's own.

It is made once for each state of the reference and kept in the results folder. What depends on the machine is
not in it, nor what the catalogue of metrics no longer has.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import METRICS, Measurement
from seqlab.reference.entry import Entry
from seqlab.reference.folder import Whole, find
from seqlab.store import mark
from seqlab.store.connection import is_writable
from seqlab.store.database import FixedRule, Run, Store

FORM = "1"  # of the database; a new number has it made anew


@dataclass(frozen=True)
class Reference:
    """The reference as a results database; `key` changes whenever anything in it does."""

    store: Store
    key: str
    pages: tuple[str, ...]


@contextmanager
def opened(folder: Path, results: Path) -> Iterator[Reference | None]:
    """The reference of this folder; None where it has no runs. `results` is the folder of the database."""
    whole = find(folder)
    if whole is None or not whole.manifest.pages:
        yield None
        return
    catalogue = repr([(metric.name, metric.of_machine) for metric in METRICS.values()])
    key = sha256(f"{FORM} {whole.key} {catalogue}".encode()).hexdigest()[:16]
    name = f".reference-{key}.db"
    with ExitStack() as stack:
        if not is_writable(results / name):  # results that are only looked at
            results = Path(stack.enter_context(TemporaryDirectory(prefix="seqlab-copy-")))
        path = results / name
        if not path.is_file():
            _make(whole, path)
            for other in results.glob(".reference-*.db"):
                if other != path:
                    other.unlink()
                    mark.file_of(other).unlink(missing_ok=True)
        store = stack.enter_context(Store(path))
        yield Reference(store, key, tuple(whole.manifest.pages))


def _make(whole: Whole, path: Path) -> None:
    aside = path.with_name(f"{path.name}.part")
    aside.unlink(missing_ok=True)
    with Store(aside) as store:
        store.add_all(_runs(whole))
        for page, rules in whole.manifest.rules.items():
            for rule, fixed in rules.items():
                claim, _, digest = rule.rpartition(" ")
                store.fix_rule(FixedRule(claim, page, digest, "", fixed))
    aside.replace(path)


def _runs(whole: Whole) -> Iterator[Run]:
    for page in whole.manifest.pages:
        for number, entry in enumerate(whole.entries(page), start=1):
            yield _run(page, entry, number)


def _run(page: str, entry: Entry, number: int) -> Run:
    device, mlx = entry.machine
    return Run(
        trial=Trial(page, entry.factors, entry.seed, "full", entry.settings),
        status=entry.status,
        seconds=entry.seconds,
        started=datetime.fromisoformat(entry.date).replace(tzinfo=UTC),
        device=device,
        mlx=mlx,
        fingerprint=entry.code.fingerprint,
        provenance=entry.about,
        measurements=tuple(
            Measurement(metric, value, split, step)
            for (metric, split), points in entry.series.items()
            if metric in METRICS and not METRICS[metric].of_machine
            for step, value in points
        ),
        artifacts=entry.artifacts,
        error=entry.error,
        used=entry.code.used,
        uid=f"{page} {number}",
    )
