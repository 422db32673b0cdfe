"""What did the article say, and what did we predict before measuring? The ledger, `report/claims.toml`.

The file is read by planning (a page may only test a claim that exists) and by the report (which
quotes it), so it needs the standard library alone. Predictions are compared with outcomes here
because both are words of the vocabulary: no number is looked at.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.errors import UsageError, unknown
from seqlab.notebook.claims import Outcome

KINDS = ("mechanism", "performance", "quality", "history", "generality")

# Which outcomes prove a prediction right. "Misleading" says that the sentence is true of something
# and suggests more, so holding only under conditions and not holding both bear it out. "No relevant
# difference" is one way of not holding.
CONFIRMED_BY: Mapping[str, frozenset[Outcome]] = {
    "true": frozenset({Outcome.SUPPORTED}),
    "true with conditions": frozenset({Outcome.CONDITIONAL}),
    "partly true": frozenset({Outcome.CONDITIONAL}),
    "misleading": frozenset({Outcome.CONDITIONAL, Outcome.NOT_SUPPORTED, Outcome.EQUIVALENT}),
    "false": frozenset({Outcome.NOT_SUPPORTED, Outcome.EQUIVALENT}),
    "untestable": frozenset(),
}
REQUIRED = ("id", "quote", "kind", "expect", "why")
OPTIONAL = ("line", "says", "topic", "sources", "designs", "note", "pilot")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A claim: its words, its line in the article, our prediction and the reason for it.

    A claim that is not from the article has no line.

    `says` is the claim as a whole sentence, and `topic` the same in a few words; a ledger that leaves them
    out has the quote for both. `expect` has more than one prediction where parts of the sentence part ways.
    `why` is Markdown with citations; `sources` are the keys it leans on; `designs` the experiments that could
    settle it.
    """

    id: str
    quote: str
    kinds: tuple[str, ...]
    expect: tuple[str, ...]
    why: str
    line: int | None = None
    says: str = ""
    topic: str = ""
    sources: tuple[str, ...] = ()
    designs: tuple[str, ...] = ()
    note: str = ""
    pilot: bool = False  # the prediction leaned on a rough measurement of the same kind: it is not blind

    @property
    def prediction(self) -> str:
        """The prediction in words: `true with conditions`, or `true and false`."""
        return " and ".join(self.expect)

    def predicted_correctly(self, outcome: Outcome) -> bool | None:
        """Whether the outcome bears the prediction out; None where it decides nothing.

        A prediction in two parts says that the sentence holds in some cells and not in others.
        """
        if outcome in (Outcome.INCONCLUSIVE, Outcome.NOT_TESTED) or self.expect == ("untestable",):
            return None
        if len(self.expect) > 1:
            return outcome is Outcome.CONDITIONAL
        return outcome in CONFIRMED_BY[self.expect[0]]


def _entry(row: Mapping[str, Any], place: str) -> Entry:
    missing = [name for name in REQUIRED if name not in row]
    if missing:
        raise UsageError(f"{place} lacks {', '.join(missing)}. Add it to the claim's table.")
    extra = sorted(set(row) - {*REQUIRED, *OPTIONAL})
    if extra:
        raise UsageError(f"{place}: {unknown('field', extra[0], [*REQUIRED, *OPTIONAL])}")
    line = row.get("line")
    if line is not None and (not isinstance(line, int) or line < 1):
        raise UsageError(f"{place}: line must be a whole number from 1, found {line!r}.")
    entry = Entry(
        id=row["id"],
        line=line,
        quote=row["quote"],
        says=row.get("says", row["quote"]),
        topic=row.get("topic", row["quote"]),
        kinds=_words(row["kind"]),
        expect=_words(row["expect"]),
        why=row["why"],
        sources=_words(row.get("sources", ())),
        designs=_words(row.get("designs", ())),
        note=row.get("note", ""),
        pilot=bool(row.get("pilot", False)),
    )
    for what, found, known in (("kind", entry.kinds, KINDS), ("prediction", entry.expect, CONFIRMED_BY)):
        if not found:
            raise UsageError(f"{place} has no {what}; known: {', '.join(known)}.")
        for word in found:
            if word not in known:
                raise UsageError(f"{place}: {unknown(what, word, known)}")
    return entry


def _words(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def read(path: Path) -> dict[str, Entry]:
    """Read the ledger, by id in the file's order. `UsageError` names the file and the claim at fault."""
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise UsageError(f"cannot read the ledger of claims {path}: it is no file. Restore the file.")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the ledger of claims {path}: {error}. Restore the file.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}. Correct that line.") from error
    entries: dict[str, Entry] = {}
    for number, row in enumerate(document.get("claim", []), start=1):
        entry = _entry(row, f"{path}, claim {row.get('id', f'number {number}')}")
        if entry.id in entries:
            raise UsageError(f"{path} has the claim {entry.id} twice. Give the newer one another id.")
        entries[entry.id] = entry
    return entries
