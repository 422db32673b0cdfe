"""What goes into the report? Everything that the templates need, as plain values.

The pipeline fills these in; weaving only lays them out. Text fields marked *Markdown* were written
by people for the report (a page's prose, a caption) and may cite; all others are escaped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from seqlab.notebook.claims import Verdict
from seqlab.notebook.ledger import Entry


@dataclass(frozen=True)
class Picture:
    """A figure that is already drawn. A relative `path` is relative to the report's folder."""

    path: Path
    caption: str  # Markdown
    alt: str
    n_text: str = ""  # "5 seeds": what the figure's n is


class Text(NamedTuple):
    """A text from a run, as it is, under the name of what made it (empty where there is but one)."""

    title: str
    text: str


@dataclass(frozen=True)
class Passages:
    """Texts that share a caption."""

    caption: str  # Markdown
    texts: tuple[Text, ...]
    n_text: str = ""


@dataclass(frozen=True)
class File:
    """A file that lies beside the report, and the run that made it."""

    name: str
    data: bytes
    maker: str


@dataclass(frozen=True)
class Files:
    """Files that share a caption."""

    caption: str  # Markdown
    files: tuple[File, ...]


@dataclass(frozen=True)
class TableData:
    """A table of ready-made cells, row by row."""

    caption: str  # Markdown
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: str = ""
    worded: frozenset[int] = frozenset({0})  # the columns that hold words, and so begin at the left

    @property
    def align(self) -> str:
        """An `l` for each column of words, an `r` for each of numbers."""
        return "".join("l" if place in self.worded else "r" for place in range(len(self.head)))


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One experiment page as a chapter."""

    name: str
    title: str
    prose: str = ""  # Markdown
    verdicts: tuple[Verdict, ...] = ()
    figures: tuple[Picture | Passages | Files, ...] = ()  # in the page's order
    tables: tuple[TableData, ...] = ()
    rerun: str  # the command line
    source: str  # the page's file, relative to the repository
    trials: int = 0
    seconds: float = 0.0
    at_once: int = 1  # trials that ran side by side, at most
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A trial that did not end well: which, how, and its last words."""

    experiment: str
    trial: str
    status: str
    error: str


@dataclass(frozen=True, kw_only=True)
class RuleChange:
    """A rule that changed after evidence for it existed: hashes before and after, and when."""

    claim: str
    experiment: str
    before: str
    after: str
    when: datetime


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the report says.

    `broken` maps the pages that could not be used to the reason. `rules_fixed` maps claim, page and a
    rule's digest to when it was first run. `home` is the relative link from the rendered document to
    the repository's root, ending in a slash, for links to the pages.
    """

    title: str
    generated: datetime
    budget: str
    device: str
    engine_note: str
    ledger: Mapping[str, Entry]
    chapters: tuple[Chapter, ...] = ()
    failures: tuple[Failure, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    rules_changed: tuple[RuleChange, ...] = ()
    rules_fixed: Mapping[tuple[str, str, str], datetime] = field(default_factory=dict)
    home: str = ""
