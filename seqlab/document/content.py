"""What is the content of a report? Everything that the templates need, as plain values.

The pipeline creates these values, and weaving only lays them out. Text fields marked *Markdown* were written
by people for the report (a page's prose, a caption) and may contain citations; all others are escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from seqlab.analysis.combined import Combined, combine
from seqlab.analysis.moved import Move
from seqlab.charts.alt import NOTHING
from seqlab.document.carried import Carried
from seqlab.document.outline import Outline
from seqlab.notebook.claims import Verdict
from seqlab.notebook.ledger import Entry


@dataclass(frozen=True)
class Image:
    """A figure that is already drawn. A relative `path` is relative to the report's folder."""

    path: Path
    caption: str  # Markdown
    alt: str
    n_text: str = ""  # the number of seeds, such as "n = 5 seeds"

    @property
    def empty(self) -> bool:
        """Whether nothing was measured for it."""
        return self.alt == NOTHING


class Text(NamedTuple):
    """A verbatim text from a run, and a title that names the run (empty if there is only one)."""

    title: str
    text: str


@dataclass(frozen=True)
class Passages:
    """Texts that share a caption."""

    caption: str  # Markdown
    texts: tuple[Text, ...]
    n_text: str = ""

    @property
    def empty(self) -> bool:
        """Whether no run has written any."""
        return not self.texts


@dataclass(frozen=True)
class File:
    """A file attached to the report, and the run that made it."""

    name: str
    data: bytes
    maker: str


@dataclass(frozen=True)
class Files:
    """Files that share a caption."""

    caption: str  # Markdown
    files: tuple[File, ...]

    @property
    def empty(self) -> bool:
        """Whether no run has made any."""
        return not self.files


@dataclass(frozen=True)
class TableData:
    """A table of formatted cells, row by row."""

    caption: str  # Markdown
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: str = ""
    text_columns: frozenset[int] = frozenset({0})  # columns that contain text and are left-aligned

    @property
    def align(self) -> str:
        """An `l` for each column of text, an `r` for each column of numbers."""
        return "".join("l" if place in self.text_columns else "r" for place in range(len(self.head)))


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One experiment page as a chapter."""

    name: str
    title: str
    prose: str = ""  # Markdown
    verdicts: tuple[Verdict, ...] = ()
    claims: tuple[str, ...] = ()  # the ids of all that it tests, judged or not
    smoke: str = ""  # after the smoke budget, whether the page works; it has no verdicts then
    figures: tuple[Image | Passages | Files, ...] = ()  # in the page's order
    tables: tuple[TableData, ...] = ()
    rerun: str  # the command line
    source: str  # the page's file, relative to the repository
    trials: int = 0
    reference: bool = False  # whether the reference has runs of the page
    seconds: float = 0.0
    parallel_trials: int = 1  # the largest number of trials that ran at once
    settings: Mapping[str, object] = field(default_factory=dict)
    diverged: tuple[str, ...] = ()  # the points of which every run diverged
    problems: tuple[str, ...] = ()  # what of the page could not be shown, and why

    @property
    def texts(self) -> tuple[str, ...]:
        """The page's own Markdown: its prose, then the captions of its figures and of its tables."""
        return (self.prose, *(shown.caption for shown in (*self.figures, *self.tables)))


@dataclass(frozen=True)
class Pictures:
    """The pictures of the front page and the ledger, already drawn; a caption states the finding."""

    chain: Image | None = None
    forest: Image | None = None
    strips: Mapping[str, Image] = field(default_factory=dict)  # by claim
    scales: tuple[tuple[str, str], ...] = ()  # of the strips: what is drawn to it, and its ends
    ahead: int = 0  # domains of the forest in which the Transformer is better by what matters
    behind: int = 0  # in which it is worse
    between: int = 0
    sizes: str = ""  # the parameters of the networks that the forest compares: `28,000 to 110,000`

    @property
    def images(self) -> tuple[Image, ...]:
        """All of them."""
        return (*filter(None, (self.chain, self.forest)), *self.strips.values())


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A trial that failed: which one, its status, and its error."""

    experiment: str
    trial: str
    status: str
    error: str


@dataclass(frozen=True, kw_only=True)
class RuleChange:
    """A rule that changed after evidence for it existed: its hashes before and after, and the date."""

    claim: str
    experiment: str
    before: str
    after: str
    when: datetime


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole content of the report.

    `broken` maps pages that could not be used to the reason. `rules_fixed` maps claim, page and rule digest
    to the time when the rule was stored, which is before its first run, or `rules_late` has it.
    `rules_tampered` says which stored rules were changed by hand (`seqlab.store.chain`). `home` is
    the relative link from the rendered document to the repository's root, ending in a slash, for links to
    the pages.
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
    reference: Mapping[str, str] = field(default_factory=dict)  # the same of the reference, where it is shown
    rules_changed: tuple[RuleChange, ...] = ()
    rules_tampered: tuple[str, ...] = ()
    rules_fixed: Mapping[tuple[str, str, str], datetime] = field(default_factory=dict)
    rules_late: frozenset[tuple[str, str, str]] = frozenset()
    home: str = ""
    left: int = 0  # planned trials that a limited time left out
    moves: tuple[Move, ...] = ()  # what this report moved, where there is an earlier one
    outline: Outline = field(default_factory=Outline)
    pictures: Pictures = field(default_factory=Pictures)
    carried: tuple[Carried, ...] = ()  # what each property of a Transformer changes

    @cached_property
    def claims(self) -> Mapping[str, Combined]:
        """What all chapters together say of each claim of the ledger, in its order."""
        return combined(self.ledger, [verdict for chapter in self.chapters for verdict in chapter.verdicts])


def combined(ledger: Mapping[str, Entry], verdicts: Sequence[Verdict]) -> Mapping[str, Combined]:
    """The verdicts of each claim of the ledger, combined; further claims stand last."""
    found: dict[str, list[Verdict]] = {claim: [] for claim in ledger}
    for verdict in verdicts:
        found.setdefault(verdict.claim, []).append(verdict)
    return {claim: combine(given) for claim, given in found.items()}
