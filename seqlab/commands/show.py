"""`seqlab show C17`, `seqlab show vit`: what is known of a claim or a page, and how is it run again?"""

import argparse
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from seqlab import pipeline
from seqlab.commands.common import require_database, workspace_of, wrapped
from seqlab.errors import UsageError, unknown
from seqlab.machine import blas
from seqlab.notebook.claims import Verdict
from seqlab.notebook.experiment import Experiment
from seqlab.notebook.ledger import Entry
from seqlab.notebook.ledger import read as read_ledger
from seqlab.notebook.rerun import command
from seqlab.reference.manifest import MANIFEST
from seqlab.running.plan import Request
from seqlab.store.database import Store

MOST = 240  # letters of a reason; the report has all of it


def run(options: argparse.Namespace) -> int:
    """Print verdicts, numbers and the command that runs it again, for each claim or page that is named.

    Nothing is run and nothing stored: the verdicts are made anew from the runs that count.
    """
    blas.load()  # before a page imports MLX
    from seqlab.analysis.findings import analyse_pages
    from seqlab.notebook.discover import discover

    workspace = workspace_of(options)
    if not (workspace.reference / MANIFEST).is_file():  # it has verdicts of its own
        require_database(workspace)
    ledger = read_ledger(workspace.ledger)
    pages = discover(workspace.pages, ledger).experiments
    asked = [_asked(name, ledger, pages) for name in options.names]
    names = [page.name for page in pages.values() if any(_tests(page, one) for one in asked)]
    request = Request(options.budget)
    with Store.reading(workspace.database) as store, ExitStack() as stack:
        opened = pipeline.opened_reference(workspace, request, pipeline.Options(), stack)
        work = pipeline.configure(workspace, request, store, names=names, kind=None, reference=opened)
        planned = [(plan.experiment, plan.planned) for plan in work.plans]
        counted = pipeline.evidence_runs(work, store)
        found = analyse_pages(planned, counted, store, **pipeline.beside_own(work, store))
    verdicts = [verdict for page in found for verdict in page.verdicts]
    for one in asked:
        lines = _claim(one, verdicts) if isinstance(one, Entry) else _page(one, verdicts, ledger)
        print("\n".join([*lines, ""]))
    return 0


def _asked(name: str, ledger: Mapping[str, Entry], pages: Mapping[str, Experiment]) -> Entry | Experiment:
    """The page or the claim of that name; a claim's letter may be small."""
    if name in pages:
        return pages[name]
    if name.upper() in ledger:
        return ledger[name.upper()]
    raise UsageError(unknown("claim or experiment", name, [*ledger, *pages]))


def _tests(page: Experiment, asked: Entry | Experiment) -> bool:
    """Whether the page is the one that is asked for, or tests that claim or one of that page's claims."""
    if isinstance(asked, Entry):
        return any(claim.id == asked.id for claim in page.claims)
    return page.name == asked.name


def _claim(entry: Entry, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A claim with the verdict of all its rules, and what each rule said."""
    from seqlab.analysis.combined import combine
    from seqlab.document.measured import summary

    claim = combine(verdict for verdict in verdicts if verdict.claim == entry.id)
    yield from wrapped(f"{entry.id}: {claim.outcome}. {entry.says}", hanging=4)
    if text := summary(claim):
        yield from wrapped(f"{text}.", indent=4)
    yield from wrapped(f"In the article: “{entry.quote}”. We predicted: {entry.prediction}.", indent=4)
    for verdict in claim.verdicts:
        yield ""
        yield from _verdict(verdict, f"{verdict.experiment}: {verdict.outcome}")
    yield ""
    for page in claim.pages:
        yield f"Run again: {_rerun(page, claim.verdicts)}"
    if not claim.pages:
        yield "No page tests this claim."


def _page(page: Experiment, verdicts: Sequence[Verdict], ledger: Mapping[str, Entry]) -> Iterator[str]:
    """A page with what each of its rules said."""
    yield from wrapped(f"{page.name}: {page.title}", hanging=4)
    own = [verdict for verdict in verdicts if verdict.experiment == page.name]
    for verdict in own:
        yield ""
        said = ledger[verdict.claim].says if verdict.claim in ledger else verdict.statement
        yield from _verdict(verdict, f"{verdict.claim}: {verdict.outcome}. {said}")
    yield ""
    yield f"Run again: {_rerun(page.name, own)}"


def _verdict(verdict: Verdict, head: str) -> Iterator[str]:
    """What one rule asks and found, with its evidence."""
    from seqlab.document.measured import measured
    from seqlab.document.origins import from_reference

    yield from wrapped(head, hanging=4)
    yield from wrapped(verdict.statement, indent=4)
    if text := measured(verdict):
        yield from wrapped(f"Found: {text}.", indent=4)
    most = len(verdict.reason) if verdict.agreement else MOST  # the devices are told last
    yield from wrapped(textwrap.shorten(verdict.reason, most, placeholder=" …"), indent=4)
    if verdict.boundary:
        yield from wrapped(f"Boundary: {verdict.boundary}.", indent=4)
    if verdict.n:
        origin = f"; {from_reference(verdict.origin)}" if verdict.origin else ""
        yield from wrapped(f"n = {verdict.n}{origin}. Measured for {verdict.scope}.", indent=4)


def _rerun(page: str, verdicts: Sequence[Verdict]) -> str:
    """The command that runs the page again, with as many seeds as would likely decide what is open."""
    more = [one.n + one.seeds_needed for one in verdicts if one.experiment == page and one.seeds_needed]
    return command(page, f"--seeds {max(more)}" if more else "")
