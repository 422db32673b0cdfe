"""What of a results folder goes into the reference, beside what is there already?

Good runs, and failures of the code where there is no good one, of learning trials that the page's budgets ask
for, by code and data that have not changed since. Running out of time or memory tells of the machine alone.
What is there stays, as long as the page asks for it: a run takes the place of one of the same trial on the
same machine, and a machine that holds all that another one does takes its place. If it takes too many bytes,
artifacts are left out, then the curves of training losses.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.notebook.experiment import Experiment, Trial
from seqlab.reference.entry import Entry
from seqlab.reference.fitting import fitting, with_first_artifacts
from seqlab.reference.folder import find, put
from seqlab.reference.manifest import Manifest
from seqlab.reference.problems import FOLDER
from seqlab.reference.taken import entries_of
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
        new = list(entries_of(source.page, store, _to_export(source, store), root=root, told=told))
        added += len({entry.key for entry in new} - {entry.key for entry in pages.get(name, ())})
        pages[name] = with_first_artifacts(source.page, merged(source, pages.get(name, ()), new))
        before.rules[name] = _rules(before.rules.get(name, {}), name, store)
    pages = {page: entries for page, entries in pages.items() if entries}
    if not pages:
        return []
    figures = {source.page.name: source.page for source in sources}
    files, left_out = fitting(pages, before, figures)
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


def _to_export(source: Source, store: Store) -> list[Record]:
    """The runs of the store that count."""
    records = [one for one in store.records(source.page.name) if one.status not in OF_MACHINE]
    numbers = set(_counting(source, records, source.since))
    return [record for record in records if record.id in numbers]


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
