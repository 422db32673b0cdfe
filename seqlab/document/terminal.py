"""What does `seqlab run` print at the end? A page's texts, files, tables and verdicts."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from seqlab.analysis.findings import PageFindings
from seqlab.document.artifacts import attached_files, passages
from seqlab.document.content import Passages
from seqlab.document.numbers import count, effect, number
from seqlab.document.origins import from_reference, replicated, since
from seqlab.document.tables import tables
from seqlab.document.text_lines import wrapped_lines
from seqlab.notebook.claims import Verdict
from seqlab.notebook.figures import ImageGrid, TextSamples
from seqlab.store.database import Store

MOST_LINES = 20  # of a text; the report has the whole text
STYLES = {
    "supported": "green",
    "with conditions": "yellow",
    "no relevant difference": "magenta",
    "not supported": "red",
}


def print_findings(found: Sequence[PageFindings], store: Store, *, results: Path) -> None:
    """Print the pages' figures and verdicts. Attached files are in `results`."""
    # A pipe has no width: use a wide one, so that no cell is cut.
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for page in found:
        console.print(f"\n{page.experiment.name}: {page.experiment.title}", style="bold", markup=False)
        for line, style in _exhibits(page, store, results):
            console.print(line, style=style, markup=False)
        for data in tables(page):
            shown = Table(title=None, box=box.SIMPLE_HEAD, caption=data.n_text)
            for name, side in zip(data.head, data.align, strict=True):
                shown.add_column(name, justify="left" if side == "l" else "right")
            for row in data.rows:
                shown.add_row(*row)
            console.print(shown, markup=False)
        for verdict in page.verdicts:
            _print_verdict(console, verdict)
        if page.smoke:
            console.print(page.smoke, style="bold", markup=False)


def _exhibits(page: PageFindings, store: Store, results: Path) -> Iterable[tuple[str, str]]:
    """Lines with their styles: the first lines of texts, captions of image grids, paths of files."""
    for figure in page.experiment.figures:
        if isinstance(figure, TextSamples):
            yield from _texts(passages(figure, page, store))
        elif isinstance(figure, ImageGrid):
            yield f"\n{figure.caption} (images: see the report)", "dim"
    for files in attached_files(page, store):
        yield f"\n{files.caption}", "dim"
        for one in files.files:
            yield f"  {results / one.name} ({number(len(one.data), 'B')}; made by {one.maker})", ""


def _texts(shown: Passages) -> Iterable[tuple[str, str]]:
    yield f"\n{shown.caption} ({shown.n_text})", "dim"
    for title, text in shown.texts:
        lines = wrapped_lines(text)  # without control characters
        yield from [(f"  {title}:", "bold")] if title else []
        yield from ((f"  │ {line}", "") for line in lines[:MOST_LINES])
        if len(lines) > MOST_LINES:
            yield f"  … and {count(len(lines) - MOST_LINES)} more lines, in the report", "dim"


def _print_verdict(console: Console, verdict: Verdict) -> None:
    style = STYLES.get(verdict.outcome.value, "dim")
    console.print(f"{verdict.claim}: {verdict.outcome}", style=f"bold {style}", markup=False)
    details = [verdict.statement, verdict.reason]
    # With one seed there is an estimate without bounds; the reason says so.
    if verdict.effect is not None and verdict.low is not None and verdict.high is not None:
        measured = effect(verdict.rule, verdict.effect, verdict.low, verdict.high)
        details.append(f"Effect {measured}, n = {verdict.n}.")
    if verdict.origin:
        told = from_reference(verdict.origin)
        details += [
            f"{told[:1].upper()}{told[1:]}.",
            *filter(None, [replicated(verdict.origin), since(verdict.origin)]),
        ]
    if verdict.boundary:
        details.append(verdict.boundary)
    if verdict.seeds_needed:
        details.append(f"About {verdict.seeds_needed} more seeds would likely decide it.")
    for text in details:
        console.print(f"  {text}", markup=False)
