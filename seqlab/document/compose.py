"""How do findings become the content of a report? Summarise and draw them, then weave the document.

The analysis computes each number once, so that a figure, a table and a verdict of the same metric cannot
disagree.
"""

import json
import os
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from seqlab.analysis.findings import PageFindings
from seqlab.analysis.moved import moves
from seqlab.analysis.summaries import samples, summarise
from seqlab.charts.draw import Need, describe_n, draw, gather, needs
from seqlab.document.artifacts import attached_files, image_grids, passages
from seqlab.document.blocks import slug
from seqlab.document.carried import carried
from seqlab.document.content import (
    Chapter,
    Failure,
    Files,
    Image,
    Passages,
    Report,
    RuleChange,
    TableData,
    combined,
)
from seqlab.document.numbers import number
from seqlab.document.origins import device_name, with_place
from seqlab.document.outline import read as read_outline
from seqlab.document.pictures import pictures
from seqlab.document.sound import Check, sound
from seqlab.document.tables import deterministic, split_of, tables
from seqlab.document.weave import label_keys, weave
from seqlab.errors import described
from seqlab.notebook.experiment import BudgetName
from seqlab.notebook.figures import Attachment, Figure, ImageGrid, Table, TextSamples
from seqlab.notebook.ledger import Entry
from seqlab.notebook.rerun import command
from seqlab.store.database import FixedRule, Store

TITLE = "Why did Transformers replace RNNs, and when shouldn't they?"

RuleKey = tuple[str, str, str]  # claim, page, digest


def compose(
    found: Sequence[PageFindings],
    *,
    ledger: Mapping[str, Entry],
    broken: Mapping[str, str],
    store: Store,
    budget: BudgetName,
    options: str,
    device: str,
    engine_note: str,
    left: int = 0,
    sources: Path,
    folder: Path,
    check: Check | None = None,
    hidden: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Write the document's sources into `folder`; returns what of the pages could not be shown.

    One page's figure, text or name that cannot be shown costs that chapter alone. `check` finds what in its
    Markdown no engine can render; `hidden` pages are named with the reason, and nothing of them is shown.
    """
    rules = store.fixed_rules()
    runs = [int(number) for page in found for number in page.evidence.runs["run"]]
    referred = _fixed(_referred(found))
    outline = read_outline(sources)
    claims = combined(ledger, [verdict for page in found for verdict in page.verdicts])
    report = Report(
        title=TITLE,
        generated=datetime.now(UTC),
        budget=budget,
        device=device.replace("cpu", "the CPU", 1).replace("gpu", "the GPU", 1),
        engine_note=engine_note,
        ledger=ledger,
        chapters=tuple(
            _hidden(page, hidden[page.experiment.name])
            if hidden and page.experiment.name in hidden
            else _chapter(page, folder / "figures", options, store)
            for page in found
        ),
        failures=tuple(failure for page in found for failure in _failures(page)),
        broken=broken,
        provenance=_provenance(store.provenance(runs)),
        reference=_reference(found),
        rules_changed=tuple(_changed(rules, found)),
        rules_tampered=tuple(store.rules_changed_afterwards()),
        rules_fixed=_fixed(rules) | referred,
        rules_late=_late(_fixed(rules), referred, found),
        home=f"{Path(os.path.relpath(sources.parent, folder.parent)).as_posix()}/",
        left=left,
        moves=tuple(moves(store, budget)),
        outline=outline,
        pictures=pictures(found, claims, outline, folder / "figures"),
        carried=carried(claims, outline.properties),
    )
    if check:
        keys = label_keys(chapter.name for chapter in report.chapters)
        report = sound(report, keys, sources=sources, check=check)
    weave(report, sources=sources, folder=folder)
    return tuple(f"{chapter.name}: {problem}" for chapter in report.chapters for problem in chapter.problems)


def _diverged(page: PageFindings) -> tuple[str, ...]:
    """The points of which every run diverged: `model=LSTM (5 runs)`."""
    ends: dict[str, list[str]] = {}
    for row in page.evidence.runs.to_dict("records"):
        point = ", ".join(f"{name}={row[name]}" for name in _factors(page, row)) or "its one point"
        ends.setdefault(point, []).append(row["status"])
    return tuple(
        f"{point} ({len(found)} run{'s' if len(found) > 1 else ''})"
        for point, found in ends.items()
        if set(found) == {"diverged"}
    )


def _hidden(page: PageFindings, reason: str) -> Chapter:
    """A chapter of a title and the reason why there is no more."""
    return Chapter(
        name=page.experiment.name,
        title=page.experiment.title,
        claims=tuple(dict.fromkeys(claim.id for claim in page.experiment.claims)),
        rerun=command(page.experiment.name),
        source=f"experiments/{page.experiment.name}.py",
        problems=(reason,),
    )


def _fixed(rules: Iterable[FixedRule]) -> dict[RuleKey, datetime]:
    return {(rule.claim, rule.experiment, rule.digest): datetime.fromisoformat(rule.fixed) for rule in rules}


def _referred(found: Sequence[PageFindings]) -> list[FixedRule]:
    """The rules by which verdicts rest on the reference, as they were fixed where it was measured."""
    stores = [page.reference.store for page in found if page.reference]
    judged = _judged_elsewhere(found)
    return [
        rule
        for rule in (stores[0].fixed_rules() if stores else [])
        if (rule.claim, rule.experiment, rule.digest) in judged
    ]


def _judged_elsewhere(found: Sequence[PageFindings]) -> set[RuleKey]:
    """The rules whose verdicts rest on the reference."""
    verdicts = [verdict for page in found for verdict in page.verdicts if verdict.origin]
    return {(verdict.claim, verdict.experiment, verdict.rule.digest()) for verdict in verdicts}


def _late(
    rules: Mapping[RuleKey, datetime], referred: Mapping[RuleKey, datetime], found: Sequence[PageFindings]
) -> frozenset[RuleKey]:
    """The rules that were stored after a run that they are judged by; `referred` are the reference's."""
    fixed = {key: when.date().isoformat() for key, when in referred.items()}
    there = {
        page.experiment.name: str(min(page.reference.evidence.runs["started"]))[:10]
        for page in found
        if page.reference
    }
    elsewhere = _judged_elsewhere(found)
    # Of the reference only days are known.
    after = {key for key in elsewhere if key not in fixed or fixed[key] > there[key[1]]}
    first = {
        page.experiment.name: min(map(datetime.fromisoformat, page.evidence.runs["started"]))
        for page in found
        if len(page.evidence.runs)
    }
    own = {key for key, when in rules.items() if key[1] in first and when > first[key[1]]}
    return frozenset(own - elsewhere | after)


def _chapter(page: PageFindings, figures: Path, options: str, store: Store) -> Chapter:
    experiment, runs = page.experiment, page.evidence.runs
    problems: list[str] = []
    shown = tuple(_figures(page, figures, store, problems))
    shown_tables: tuple[TableData, ...] = ()
    with _contained(problems, "its tables could not be made"):
        shown_tables = tables(page)
    return Chapter(
        name=experiment.name,
        title=experiment.title,
        prose=experiment.prose,
        verdicts=page.verdicts,
        claims=tuple(dict.fromkeys(claim.id for claim in experiment.claims)),
        smoke=page.smoke,
        figures=shown,
        tables=shown_tables,
        rerun=command(experiment.name, options),
        source=f"experiments/{experiment.name}.py",
        trials=len(runs),
        reference=page.reference is not None,
        seconds=float(runs["seconds"].sum()) if len(runs) else 0.0,
        parallel_trials=max(
            (about.get("trials at once", 1) for about in store.provenance(map(int, runs["run"]))), default=1
        ),
        settings=page.settings,
        diverged=_diverged(page),
        problems=tuple(problems),
    )


@contextmanager
def _contained(problems: list[str], what: str) -> Iterator[None]:
    """What fails within costs one part of one chapter, and is told there."""
    try:
        yield
    except (OSError, MemoryError):  # the disk or the machine, not the page
        raise
    except Exception as error:  # noqa: BLE001 - whatever a page asks to be drawn, the others are drawn
        last = traceback.extract_tb(error.__traceback__)[-1]
        problems.append(f"{what}: {described(error)} ({Path(last.filename).name}, line {last.lineno})")


def _figures(
    page: PageFindings, folder: Path, store: Store, problems: list[str]
) -> Iterable[Image | Passages | Files]:
    """All figures of the page except its tables, in the page's order; `problems` tells those that fail."""
    attached: list[Files] | None = None
    for place, figure in enumerate(page.experiment.figures, start=1):
        name, shown = f"{_stem(page.experiment.name)}-{place}", list[Image | Passages | Files]()
        with _contained(problems, f"figure {place} could not be drawn"):
            match figure:
                case Table():
                    continue
                case TextSamples():
                    shown = [passages(figure, page, store)]
                case ImageGrid():
                    shown = [*image_grids(figure, page, store, folder=folder, name=name)]
                case Attachment():
                    attached = attached_files(page, store) if attached is None else attached
                    shown = [attached.pop(0)]
                case _:
                    shown = [_image(figure, page, folder / f"{name}.svg")]
        yield from shown


def _stem(page: str) -> str:
    """A page's name as the start of a file name that no format has to quote."""
    plain = re.fullmatch(r"[\w-]+", page, re.ASCII)
    return page if plain else f"{slug(page)}-{sha256(page.encode(errors='surrogatepass')).hexdigest()[:8]}"


def _image(figure: Figure, page: PageFindings, path: Path) -> Image:
    shown = page.shown(figure.where, [need.metric for need in needs(figure)])

    def ask(need: Need) -> tuple[pd.DataFrame, pd.DataFrame]:
        split = split_of(shown.evidence, need.metric, need.split)
        chosen: dict[str, Any] = {"by": need.by, "split": split, "where": figure.where}
        return (
            summarise(shown.evidence, need.metric, **chosen),
            samples(shown.evidence, need.metric, **chosen),
        )

    data = gather(figure, ask)
    alt = draw(figure, data, path)
    fixed = deterministic(page.experiment, figure.where)
    return Image(path, figure.caption, alt, with_place(describe_n(data.summary, deterministic=fixed), shown))


def _failures(page: PageFindings) -> Iterable[Failure]:
    runs = page.evidence.runs
    for row in runs[runs["status"] != "ok"].to_dict("records"):
        factors = [f"{run_factor}={row[run_factor]}" for run_factor in _factors(page, row)]
        yield Failure(
            experiment=page.experiment.name,
            trial=", ".join([*factors, f"seed {row['seed']}"]),
            status=row["status"],
            error=row["error"],
        )


def _factors(page: PageFindings, row: Mapping[Any, Any]) -> list[str]:
    names = {name for budget in page.experiment.budgets for name in page.experiment.factor_levels(budget)}
    return [name for name in row if name in names and not pd.isna(row[name])]


def _changed(rules: Sequence[FixedRule], found: Sequence[PageFindings]) -> Iterable[RuleChange]:
    """Current rules that replaced another rule for the same claim on the same page."""
    now = {
        (claim.id, page.experiment.name, claim.rule.digest())
        for page in found
        for claim in page.experiment.claims
    }
    first: dict[tuple[str, str], FixedRule] = {}
    for rule in rules:  # oldest first
        before = first.setdefault((rule.claim, rule.experiment), rule)
        still_in_force = (rule.claim, rule.experiment, before.digest) in now
        if before is not rule and not still_in_force and (rule.claim, rule.experiment, rule.digest) in now:
            yield RuleChange(
                claim=rule.claim,
                experiment=rule.experiment,
                before=before.digest,
                after=rule.digest,
                when=datetime.fromisoformat(rule.fixed),
            )


def _reference(found: Sequence[PageFindings]) -> dict[str, str]:
    """Under which circumstances the reference was measured, as far as the report shows it; else empty."""
    runs = [run for page in found if page.reference for run in page.reference.evidence.all_runs]
    stores = [page.reference.store for page in found if page.reference]
    if not stores:
        return {}
    about = stores[0].provenance(run.run for run in runs)
    days = sorted(
        str(day)[:10] for page in found if page.reference for day in page.reference.evidence.runs["started"]
    )
    told = {
        "runs": f"{len(runs):,}, of {days[0]} to {days[-1]}",
        "devices": "; ".join(dict.fromkeys(device_name(run.device) for run in runs)),
    }
    return told | {name: text for name, text in _provenance(about).items() if name not in ("device", "mlx")}


def _provenance(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The provenance as text; if runs differ in an entry, all of its values."""
    shown: dict[str, dict[str, None]] = {}
    for about in records:
        for name, value in about.items():
            for key, text in _entry_text(name, value):
                shown.setdefault(key, {})[text] = None
    return {name: "; ".join(texts) for name, texts in shown.items()}


def _entry_text(name: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield name, ", ".join(f"{part} {of}" for part, of in value.items() if of)
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    elif name in ("memory", "buffer cache"):
        yield name, number(float(value), "B")
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
