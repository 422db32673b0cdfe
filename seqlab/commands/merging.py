"""`seqlab results merge`: bring many machines' results into this store, and say what they disagree about.

In whichever order the stores are named, the result is the same: they are merged in an order of their own, by
their contents. A store that cannot be merged is refused by itself, and the others go on.
"""

import sys
from collections.abc import Iterable, Sequence
from hashlib import file_digest
from pathlib import Path

from seqlab.errors import StoreError
from seqlab.store.conflicts import Conflict, conflicts
from seqlab.store.database import Store

MOST_NAMED = 20  # conflicts


def merge(store: Store, paths: Sequence[Path]) -> int:
    """Merge these stores and print a line for each; returns the exit status: 2 if any was refused."""
    arrived: dict[int, Path] = {}  # from which store each new run came
    refused, total = 0, 0
    for path in _in_order(paths):
        last = store.rows("SELECT coalesce(max(id), 0) FROM run")[0][0]
        try:
            added, known = store.merge(path)
        except StoreError as error:
            refused += 1
            print(f"seqlab: {error}", file=sys.stderr)
            continue
        new = store.rows("SELECT id FROM run WHERE id > ?", (last,))
        arrived.update((run, path) for (run,) in new)
        total += added
        print(f"{f'{path}: ' if len(paths) > 1 else ''}{added} runs added, {known} were known.")
    if len(paths) > 1:
        print(f"{total} runs added from {len(paths) - refused} stores; {refused} refused.")
    _tell(conflicts(store, list(arrived)), arrived)
    return StoreError.exit_status if refused else 0


def _tell(found: Sequence[Conflict], arrived: dict[int, Path]) -> None:
    """Name both sides of each conflict, and which of them counts."""
    for one in found[:MOST_NAMED]:
        losing, counting = (arrived.get(run, "this store") for run in (one.loses, one.counts))
        print(
            f"conflict: {one.trial}: {one.metric} {one.values[0]} ({losing}) and "
            f"{one.values[1]} ({counting}); the latter counts, as it began last."
        )
    if len(found) > MOST_NAMED:
        print(f"{len(found) - MOST_NAMED} more conflicts; of each the run that began last counts.")


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """The stores by what is in them, each once: their names differ from machine to machine."""
    return sorted(dict.fromkeys(paths), key=lambda path: (_digest(path), str(path)))


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:  # merging it says what is wrong
        return ""
