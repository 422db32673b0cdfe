"""How do findings become the documents that a user opens? Attached, drawn, woven, rendered."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seqlab.document import attachments
from seqlab.engines.choice import Engine
from seqlab.errors import RenderError, StoreError
from seqlab.pipeline.work import Work
from seqlab.running.plan import Request
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

if TYPE_CHECKING:  # the desk is not imported to look at a type
    from seqlab.analysis.findings import PageFindings


def attach(workspace: Workspace, findings: "Sequence[PageFindings]", store: Store) -> None:
    """Write the pages' attachments into the results folder, where the report links to them."""
    from seqlab.document.artifacts import contents

    try:
        attachments.keep(workspace.results, contents(findings, store))
    except OSError as error:
        raise StoreError(
            f"cannot write attachments into {workspace.results}: {error.strerror}. Make room or make it "
            "writable, then run the same command again; every result is safe."
        ) from error


def chart(
    workspace: Workspace,
    work: Work,
    findings: "Sequence[PageFindings]",
    store: Store,
    *,
    request: Request,
    engine: Engine,
    left: int = 0,
    hidden: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Draw every figure and weave the report's source, for an engine to render.

    Returns what of the pages could not be shown. Of `hidden` pages only the reason is.
    """
    from seqlab.document.compose import compose
    from seqlab.engines.prose import faults

    return compose(
        findings,
        ledger=work.ledger,
        broken={**work.broken, **work.unjudged},
        store=store,
        budget=request.budget,
        options=request.options(),
        device=work.device[1],
        engine_note=engine.note,
        left=left,
        sources=workspace.words,
        folder=workspace.document,
        check=faults,
        hidden=hidden,
    )


def render(
    workspace: Workspace, engine: Engine, pages: Sequence[str], weave: Callable[[Mapping[str, str]], object]
) -> list[str]:
    """Render the woven source; put HTML and PDF in their places, each whole or not at all; print their paths.

    Where it cannot be rendered, `weave` is asked to leave out those `pages` that are to blame, each with the
    reason; returns them. Raises `RenderError` where a document is missing nevertheless.
    """
    hidden: dict[str, str] = {}
    try:
        rendered = engine.render(workspace.document)
        problem = " ".join(rendered.problems)
    except RenderError as error:
        rendered, problem = None, str(error)
    if problem:
        print("The report cannot be rendered; looking for the page that is the cause ...", file=sys.stderr)
        hidden = dict.fromkeys(_culprits(workspace, engine, pages, weave), problem)
        weave(hidden)
        if hidden or rendered is None:
            rendered = engine.render(workspace.document)
    assert rendered
    for made, final in zip((rendered.html, rendered.pdf), workspace.finished, strict=True):
        if made is not None:
            aside = final.with_name(f".{final.name}.part")
            shutil.copyfile(made, aside)
            aside.replace(final)
            print(final)
    if rendered.problems:
        raise RenderError(" ".join(rendered.problems))
    return [f"{name}: could not be rendered. {reason}" for name, reason in hidden.items()]


def _culprits(
    workspace: Workspace, engine: Engine, pages: Sequence[str], weave: Callable[[Mapping[str, str]], object]
) -> list[str]:
    from seqlab.engines.culprits import culprits

    def renders(shown: Sequence[str]) -> bool:
        weave({name: "left out" for name in pages if name not in shown})
        try:
            return not engine.render(workspace.document).problems
        except RenderError:
            return False

    return culprits(pages, renders)


@contextmanager
def writing(workspace: Workspace) -> Iterator[None]:
    """What is called within writes the report; a disk that is full or closed becomes a line to the user."""
    try:
        yield
    except OSError as error:
        raise RenderError(
            f"cannot write the report into {workspace.results}: {error}. Make room or make it writable, then "
            "run the same command again; every result is safe."
        ) from error
