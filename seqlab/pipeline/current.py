"""Is the report that is there what a command asks for? Then nothing is judged or drawn."""

import sys
from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

from seqlab.document.freshness import NOT_SOURCES, covered
from seqlab.engines.choice import Engine, choose
from seqlab.machine import blas
from seqlab.pipeline.judging import Evidence
from seqlab.pipeline.options import Options
from seqlab.pipeline.work import Work
from seqlab.running.fingerprint import KNOWN_FILE, Fingerprints
from seqlab.running.identity.changes import state_beside
from seqlab.running.identity.files import Files
from seqlab.running.plan import Request
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

if TYPE_CHECKING:
    from seqlab.cluster.elsewhere import Elsewhere


def conditions_of(
    request: Request, names: Sequence[str] | None, options: Options, elsewhere: "Elsewhere | None"
) -> str:
    """What a report is asked for, and what would make it: device, engine, Python."""
    blas.load()  # before anything imports MLX
    from seqlab.machine import device as devices

    device = elsewhere.device if elsewhere else astuple(devices.current(options.device))
    engine = choose(options.engine).identity
    return repr((request, names, device, engine, sys.version, options.reference))


def stored(workspace: Workspace, store: Store, files: Files | None = None) -> tuple[str, str]:
    """The state of the store, and of what its runs used that `sources` does not cover."""
    files = files or Fingerprints(workspace.results / KNOWN_FILE).files(workspace.pages / "any")
    return store.state(), state_beside(files, store.used().values(), covered(workspace), NOT_SOURCES)


def made_from(
    work: Work, evidence: Evidence, store: Store, request: Request, engine: Engine
) -> tuple[object, ...]:
    """All that the report is made from: trials, runs, rules, pages, words, code, engine."""
    planned = [trial for plan in work.plans for trial in plan.planned]
    referred = {page: held.numbers for page, held in work.beside.held.items()} if work.beside else {}
    made_by = (work.device, request.options(), engine.identity, work.sources, referred)
    return planned, evidence, store.state(), dict(work.broken), made_by


def print_unchanged(workspace: Workspace) -> None:
    print("Nothing is due and nothing changed; the report is up to date.")
    for path in workspace.finished:
        print(path)
