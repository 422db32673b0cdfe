"""The commands that only look: list, claims, results, diff, doctor."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from seqlab.document.numbers import number
from seqlab.errors import SeqlabError, UsageError
from seqlab.machine import blas
from seqlab.notebook.ledger import read as read_ledger
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

if TYPE_CHECKING:  # imported where they are used, so that the other commands answer sooner
    from seqlab.calibration.record import Calibration, InUse


def _table(*columns: str, title: str | None = None) -> Table:
    return Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)


def _print(table: Table) -> None:
    # A pipe has no width of its own: give it room, so that no cell is cut.
    Console(width=None if sys.stdout.isatty() else 200).print(table, markup=False)


def _workspace(options: argparse.Namespace) -> Workspace:
    return Workspace.of(options.root, options.results)


def list_experiments(options: argparse.Namespace) -> int:
    """Every page with its title, its trials by budget, and what is stored of it."""
    blas.load()
    from seqlab.notebook.discover import discover
    from seqlab.running.plan import Request, trials

    workspace = _workspace(options)
    pages = discover(workspace.pages, read_ledger(workspace.ledger))
    table = _table("experiment", "what it asks", "claims", "trials: smoke / quick / full")
    for name, page in pages.experiments.items():
        counts = [str(len(trials(page, Request(budget=budget)))) for budget in ("smoke", "quick", "full")]
        claims = ", ".join(dict.fromkeys(claim.id for claim in page.claims))
        table.add_row(name, page.title, claims, " / ".join(counts))
    for name, reason in pages.broken.items():
        table.add_row(name, f"cannot be used: {reason}", "", "")
    _print(table)
    return 0


def claims(options: argparse.Namespace) -> int:
    """Every claim with our prediction and the last verdict of each rule that the pages have for it."""
    from seqlab.notebook.discover import discover

    workspace = _workspace(options)
    ledger = read_ledger(workspace.ledger)
    pages = discover(workspace.pages, ledger).experiments
    rules = {
        (claim.id, page.name, claim.rule.digest()): f"{type(claim.rule).__name__} of {claim.rule.metric}"
        for page in pages.values()
        for claim in page.claims
    }
    last: dict[str, list[tuple[str, ...]]] = {}
    if workspace.database.is_file():
        with Store(workspace.database) as store:
            rows = store.rows(
                "SELECT claim, experiment, rule, outcome, budget, judged FROM verdict WHERE id IN "
                "(SELECT max(id) FROM verdict GROUP BY claim, experiment, budget, rule) ORDER BY claim, id"
            )
        for claim, page, rule, *rest in rows:
            if words := rules.get((claim, page, rule)):  # a rule that its page no longer has says nothing
                last.setdefault(claim, []).append((rest[0], page, words, rest[1], rest[2][:10]))
    table = _table("claim", "quote", "predicted", "verdict", "page", "rule", "budget", "judged")
    for entry in ledger.values():
        for verdict in last.get(entry.id, [("not tested", "", "", "", "")]):
            table.add_row(entry.id, entry.quote, entry.prediction, *verdict)
    _print(table)
    return 0


def results(options: argparse.Namespace) -> int:
    """Show what is stored, export it, or merge another machine's results."""
    workspace, target = _workspace(options), options.target
    if options.action != "merge" and not workspace.database.is_file():
        raise UsageError(f"expected results at {workspace.database}, found none. Give `seqlab report` first.")
    if options.action == "export":
        from seqlab.store.export import export

        with Store(workspace.database):  # checks the file
            pass
        for path in export(workspace.database, target or workspace.results / "export", options.format):
            print(path)
    elif options.action == "merge":
        if target is None:
            raise UsageError("merge expects the database to bring in: seqlab results merge OTHER.db")
        with Store(workspace.database) as store:
            added, known = store.merge(target)
        print(f"{added} runs added, {known} were known.")
    else:
        _show(workspace)
    return 0


def _show(workspace: Workspace) -> None:
    table = _table("experiment", "runs", "good", "failed", "seconds", "last run (UTC)")
    with Store(workspace.database) as store:
        rows = store.rows(
            "SELECT experiment, count(*), sum(status = 'ok'), sum(status != 'ok'), sum(seconds), "
            "max(started) FROM run GROUP BY experiment ORDER BY experiment"
        )
    for name, runs, good, failed, seconds, last in rows:
        table.add_row(name, str(runs), str(good), str(failed), f"{seconds:.1f}", last[:16].replace("T", " "))
    _print(table)
    print(workspace.database)


def diff(options: argparse.Namespace) -> int:
    """Which verdicts changed: since their first judgement here, or between this store and another."""
    workspace = _workspace(options)
    if not workspace.database.is_file():
        raise UsageError(f"expected results at {workspace.database}, found none. Give `seqlab report` first.")
    latest = (
        "SELECT claim, experiment, budget, rule, outcome, effect, low, high, n, judged FROM verdict "
        "WHERE id IN (SELECT max(id) FROM verdict GROUP BY claim, experiment, budget, rule)"
    )
    with Store(workspace.database) as store:
        if options.other is None:
            table = _table("claim", "page", "budget", "rule", "judged", "verdict", "effect", "n")
            for claim, page, budget, rule, outcome, effect, low, high, n, judged in store.rows(
                "SELECT claim, experiment, budget, rule, outcome, effect, low, high, n, judged FROM verdict "
                "ORDER BY claim, experiment, budget, rule, id"
            ):
                shown = _effect(effect, low, high)
                table.add_row(claim, page, budget, rule[:6], judged, outcome, shown, str(n))
            _print(table)
            return 0
        if not options.other.is_file():
            raise UsageError(f"expected a results database at {options.other}, found none. Check the path.")
        here = {row[:4]: row[4:] for row in store.rows(latest)}
    with Store(options.other) as store:
        there = {row[:4]: row[4:] for row in store.rows(latest)}
    table = _table("claim", "page", "budget", "rule", "here", "there")
    for key in sorted(here.keys() | there.keys()):
        sides = [_verdict(found.get(key)) for found in (here, there)]
        if sides[0] != sides[1]:
            table.add_row(*key[:3], key[3][:6], *sides)
    if table.row_count:
        _print(table)
    else:
        print("No verdict differs.")
    return 0


def _effect(effect: float | None, low: float | None, high: float | None) -> str:
    if effect is None:
        return ""
    return f"{effect:.3g}" + (f" [{low:.3g}, {high:.3g}]" if low is not None and high is not None else "")


def _verdict(row: tuple[str, float | None, float | None, float | None, int, str] | None) -> str:
    if row is None:
        return "not judged"
    outcome, effect, low, high, n, _ = row
    return f"{outcome} {_effect(effect, low, high)} (n = {n})"


def doctor(options: argparse.Namespace) -> int:
    """What this machine offers, and what is missing. Exit status 1 where something is broken."""
    workspace = _workspace(options)
    table = _table("what", "found")
    problems: list[str] = []

    def add(what: str, ask: Callable[[], str]) -> None:
        try:
            table.add_row(what, ask())
        except (SeqlabError, OSError, ImportError) as error:
            problems.append(what)
            table.add_row(what, f"PROBLEM: {error}")

    loaded = blas.load()
    add("BLAS", lambda: " ".join(filter(None, [f"{loaded.name}, {loaded.threads} threads.", loaded.note])))
    add("device", _device)
    in_use: list[InUse] = []  # none where MLX cannot be loaded

    def settings() -> str:
        in_use.append(_settings(again=options.calibrate))
        return in_use[0].summary()

    add("settings", settings)
    if in_use:
        add("ceilings", lambda: _ceilings(in_use[0]))
    add("memory", lambda: f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB")
    add("disk", lambda: f"{shutil.disk_usage(workspace.root).free / 2**30:.1f} GiB free")
    add("Quarto", lambda: _engine("quarto"))
    add("embedded engine", lambda: _engine("embedded"))
    add("claims", lambda: f"{len(read_ledger(workspace.ledger))} in the ledger")
    add("pages", lambda: _pages(workspace))
    add("data", _data)
    add("downloads", _downloads)
    add("store", lambda: _stored(workspace))
    _print(table)
    if in_use and in_use[0].calibration:
        _print(_timings(in_use[0].calibration))
    return 1 if problems else 0


def _device() -> str:
    from seqlab.machine import device

    found = device.current()
    return f"{found.name}, MLX {found.mlx}"


def _settings(*, again: bool) -> "InUse":
    """The settings that a run would get now; measured anew if asked for."""
    from seqlab.calibration.record import Machine, in_use
    from seqlab.machine import device
    from seqlab.running.calibrate import measure

    found = device.current()
    machine = Machine.here(found.kind, found.name, found.mlx)
    return measure(machine) if again else in_use(machine)


def _ceilings(settings: "InUse") -> str:
    found = settings.calibration
    if found is None:
        return "not measured; the first run does, or `seqlab doctor --calibrate`"
    from seqlab.measure.ceilings import product_precision

    products, memory = number(found.flops_per_second, "FLOP/s"), number(found.bytes_per_second, "B/s")
    # It is now what it was then: a calibration holds for one device, one MLX and one MLX_ENABLE_TF32.
    told = f"matrix products {products} in {product_precision()}, memory {memory}"
    return "; ".join(filter(None, [told, found.busy]))


def _timings(found: "Calibration") -> Table:
    title = f"Calibrated in {found.seconds:.0f} s: medians and quartiles"
    table = _table("setting", "value", "time", "25 % to 75 %", "chosen", title=title)
    for one in found.timings:
        once = one.low == one.high
        quartiles = "once" if once else f"{number(one.low, 's')} to {number(one.high, 's')}"
        table.add_row(
            one.setting, one.value, number(one.seconds, "s"), quartiles, "chosen" if one.chosen else ""
        )
    return table


def _engine(name: str) -> str:
    from seqlab.engines.choice import choose

    try:
        return choose(name).version
    except SeqlabError as error:
        if name == "quarto":  # the embedded engine takes its place
            return f"not found; the embedded engine renders instead. {error}"
        raise


def _pages(workspace: Workspace) -> str:
    from seqlab.notebook.discover import discover

    pages = discover(workspace.pages, read_ledger(workspace.ledger))
    if pages.broken:
        raise UsageError("; ".join(f"{name}: {reason}" for name, reason in pages.broken.items()))
    return ", ".join(pages.experiments)


def _data() -> str:
    from seqlab.tasks import files

    return ", ".join(files.check_all())


def _downloads() -> str:
    from seqlab.tasks import downloads

    return "\n".join(downloads.states())


def _stored(workspace: Workspace) -> str:
    if not workspace.database.is_file():
        return f"none yet at {workspace.database}"
    with Store(workspace.database) as store:
        return f"{store.rows('SELECT count(*) FROM run')[0][0]} runs at {workspace.database}, whole"


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": list_experiments,
    "claims": claims,
    "results": results,
    "diff": diff,
    "doctor": doctor,
}
