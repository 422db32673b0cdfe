"""What of a results folder goes into the reference, beside what is there already?

Good runs, and failures of the code where there is no good one, of learning trials that the page's budgets ask
for, by code and data that have not changed since. Running out of time or memory tells of the machine alone.
What is there stays, as long as the page asks for it: a run takes the place of one of the same trial on the
same machine, and a machine that holds all that another one does takes its place. If it takes too many bytes,
artifacts are left out, then the curves of training losses.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import ArtifactFigure, Curve
from seqlab.notebook.metrics import METRICS
from seqlab.reference import public
from seqlab.reference.entry import Entry, Series
from seqlab.reference.folder import MOST_BYTES, Written, find, put, written
from seqlab.reference.manifest import Code, Manifest
from seqlab.reference.problems import FOLDER
from seqlab.running.plan import runs_that_count
from seqlab.store.database import Record, Store

OF_MACHINE = ("timed out", "out of memory")


@dataclass(frozen=True)
class Source:
    """A page whose runs are exported: the learning trials of its budgets, and what changed since a run."""

    page: Experiment
    planned: Sequence[Trial]
    since: Callable[[Record], str]


def export(
    folder: Path, root: Path, store: Store, sources: Sequence[Source], *, gone: Callable[[str], bool]
) -> list[str]:
    """Write the runs into the folder; returns lines for the user, none where there is no run at all.

    `root` is the project's folder, which is told to no one. `gone` says of a page by its name that there is
    no such page any more. Raises `StoreError` where what is there cannot be read, or cannot be written.
    """
    there = find(folder)
    before = there.manifest if there else Manifest()
    pages = {page: there.entries(page) for page in before.pages} if there else {}
    told = [
        f"{page}: its runs are left out, since there is no such page any more."
        for page in pages
        if gone(page)
    ]
    pages = {page: entries for page, entries in pages.items() if not gone(page)}
    added = 0
    for source in sources:
        name = source.page.name
        new = list(_entries(source, store, root, told))
        added += len({entry.key for entry in new} - {entry.key for entry in pages.get(name, ())})
        pages[name] = _with_first_artifacts(source.page, merged(source, pages.get(name, ()), new))
        before.rules[name] = _rules(before.rules.get(name, {}), name, store)
    pages = {page: entries for page, entries in pages.items() if entries}
    if not pages:
        return []
    figures = {source.page.name: source.page for source in sources}
    files, left_out = _fitting(pages, before, figures)
    changed = put(folder, files)
    runs = ", ".join(f"{page} {len(entries)}" for page, entries in sorted(pages.items()))
    state = f"{added} of them new" if changed else "as before"
    total = sum(map(len, pages.values()))
    return [*told, *left_out, f"{FOLDER}: {total:,} runs, {state}, {files.bytes / 1e6:.2f} MB ({runs})."]


def _rules(before: Mapping[str, str], page: str, store: Store) -> dict[str, str]:
    """When each rule of the page was fixed, at the earliest that is known."""
    found = dict(before)
    for rule in store.fixed_rules():
        if rule.experiment == page:
            key = f"{rule.claim} {rule.digest}"
            found[key] = min(rule.fixed, found.get(key, rule.fixed))
    return dict(sorted(found.items()))


def merged(source: Source, old: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
    """The runs of a page: what was there, as far as the page asks for it, and the new ones."""
    asked = _asked_for(source, old)
    kept = {entry.key: entry for entry in old if entry.key in asked}
    for entry in new:
        before = kept.get(entry.key)
        if entry.status == "ok" or before is None or before.status != "ok":
            kept[entry.key] = entry
    machines: dict[tuple[str, str], set[tuple[str, str, int]]] = {}
    for entry in kept.values():
        if entry.status == "ok":
            machines.setdefault(entry.machine, set()).add(entry.trial)
    ours = {entry.machine for entry in new}
    replaced = {
        other
        for other, trials in machines.items()
        if other not in ours and any(trials <= machines.get(machine, set()) for machine in ours)
    }
    return [entry for entry in kept.values() if entry.machine not in replaced]


def _asked_for(source: Source, entries: Sequence[Entry]) -> set[object]:
    """The keys of those that the page's budgets still ask for."""
    records = [_record(source.page.name, entry, number) for number, entry in enumerate(entries)]
    return {entries[number].key for number in _counting(source, records, lambda _: "")}


def _counting(source: Source, records: Sequence[Record], since: Callable[[Record], str]) -> Iterator[int]:
    """The numbers of the runs that count, of every machine."""
    for device, mlx in dict.fromkeys((record.device, record.mlx) for record in records):
        yield from runs_that_count(
            source.planned, records, fingerprint="", device=device, mlx=mlx, changes=since
        )


def _record(page: str, entry: Entry, number: int) -> Record:
    device, mlx = entry.machine
    factors, settings, seed = entry.trial
    trial = Trial(page, entry.factors, seed, "full", entry.settings)
    return Record(
        number, trial.key(device=device, mlx=mlx), seed, "full", factors, settings, entry.status, entry.error,
        entry.date, device, mlx, entry.code.fingerprint, entry.seconds,
    )  # fmt: skip


def _entries(source: Source, store: Store, root: Path, told: list[str]) -> Iterator[Entry]:
    """The runs of the store that count."""
    records = [one for one in store.records(source.page.name) if one.status not in OF_MACHINE]
    numbers = list(_counting(source, records, source.since))
    series = _series(store, numbers)
    artifacts = _artifacts(source, store, numbers, root, told)
    about = _circumstances(store, numbers)
    used = store.used(source.page.name)
    for record in records:
        if record.id in about:
            yield Entry(
                factors=json.loads(record.factors),
                settings=json.loads(record.settings),
                seed=record.seed,
                status=record.status,
                seconds=record.seconds,
                date=record.started[:10],
                code=Code(record.fingerprint, public.used(used.get(record.used, {}))),
                about=public.about(about[record.id], device=record.device, mlx=record.mlx),
                series=series.get(record.id, {}) if record.status == "ok" else {},
                artifacts=tuple(artifacts.get(record.id, ())) if record.status == "ok" else (),
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
    rows = store.rows(
        "SELECT run, a.text, b.text, step, value FROM measurement m JOIN name a ON a.id = metric "
        "JOIN name b ON b.id = split WHERE run IN (SELECT value FROM json_each(?)) ORDER BY m.rowid",
        (json.dumps(numbers),),
    )
    found: dict[int, dict[tuple[str, str], Series]] = {}
    for run, metric, split, step, value in rows:
        if metric in METRICS and not METRICS[metric].of_machine:
            found.setdefault(run, {}).setdefault((metric, split), []).append((step, value))
    return found


def _artifacts(
    source: Source, store: Store, numbers: Sequence[int], root: Path, told: list[str]
) -> dict[int, list[Artifact]]:
    """The artifacts that the page's figures show, by run."""
    found: dict[int, list[Artifact]] = {}
    for name in sorted(_shown_artifacts(source.page)):
        private = 0
        for run, artifact in store.artifacts(numbers, name).items():
            if public.is_private(artifact.data, root):
                private += 1
            else:
                found.setdefault(run, []).append(artifact)
        if private:
            told.append(
                f"{source.page.name}: {private} of {name} are left out, since they name folders here."
            )
    return found


def _shown_artifacts(page: Experiment) -> set[str]:
    return {figure.artifact for figure in page.figures if isinstance(figure, ArtifactFigure)}


def _with_first_artifacts(page: Experiment, entries: Sequence[Entry]) -> list[Entry]:
    """The same runs, with artifacts at the first good seed of each point alone: no figure shows others."""
    first: dict[object, int] = {}
    for entry in entries:
        if entry.status == "ok":
            point = entry.trial[:2], entry.machine
            first[point] = min(entry.seed, first.get(point, entry.seed))
    names = _shown_artifacts(page)
    return [
        replace(
            entry,
            artifacts=tuple(one for one in entry.artifacts if one.name in names)
            if first.get((entry.trial[:2], entry.machine)) == entry.seed
            else (),
        )
        for entry in entries
    ]


def _fitting(
    pages: dict[str, list[Entry]], before: Manifest, known: Mapping[str, Experiment]
) -> tuple[Written, list[str]]:
    """The files, with as much as fits, and lines on what is left out."""
    told, files = list[str](), written(pages, before)
    heavy = {
        page: sum(len(one.data) for entry in entries for one in entry.artifacts)
        for page, entries in pages.items()
    }
    for page in sorted((page for page, size in heavy.items() if size), key=lambda page: -heavy[page]):
        if files.bytes <= MOST_BYTES:
            return files, told
        pages[page] = [replace(entry, artifacts=()) for entry in pages[page]]
        told.append(f"{page}: its artifacts are left out, since the reference would exceed {_most()}.")
        files = written(pages, before)
    for page in sorted(pages, key=lambda page: -len(files.texts[f"{page}.jsonl"])):
        if files.bytes <= MOST_BYTES:
            break
        curves = _drawn_curves(known.get(page))
        pages[page] = [replace(entry, series=_without_curves(entry.series, curves)) for entry in pages[page]]
        told.append(
            f"{page}: of what it measured on training data only the last value is kept, since the reference "
            f"would exceed {_most()}."
        )
        files = written(pages, before)
    return files, told


def _most() -> str:
    return f"{MOST_BYTES / 1e6:g} MB"


def _drawn_curves(page: Experiment | None) -> set[str]:
    """The metrics that a figure of the page shows over training steps."""
    return {
        figure.y
        for figure in (page.figures if page else ())
        if isinstance(figure, Curve) and figure.x == "step"
    }


def _without_curves(series: Mapping[tuple[str, str], Series], but: set[str]) -> dict[tuple[str, str], Series]:
    return {
        (metric, split): points[-1:] if split == "train" and metric not in but else points
        for (metric, split), points in series.items()
    }
