"""`seqlab doctor`: what does this machine offer, and what is missing or broken?"""

import argparse
import os
import shutil
from collections.abc import Callable, Sequence

from rich.table import Table

from seqlab.calibration.choice import MIN_GAIN
from seqlab.calibration.record import Calibration, InUse, Machine, Timing, in_use
from seqlab.commands.common import new_table, print_table, workspace_of
from seqlab.document.numbers import number
from seqlab.engines.choice import choose
from seqlab.errors import SeqlabError, UsageError
from seqlab.machine import blas
from seqlab.notebook.discover import discover
from seqlab.notebook.ledger import read as read_ledger
from seqlab.running.calibrate import measure
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace
from seqlab.tasks import downloads, files

# What imports MLX is imported within the checks: MLX that cannot be loaded is one of the things to find.


def run(options: argparse.Namespace) -> int:
    """Print a line for each thing that Seqlab needs. Exit status 1 where something is broken.

    With `report`, print what only this device can answer instead, as plain text to send to others.
    """
    if options.report:
        return _report()
    workspace = workspace_of(options)
    table = new_table("what", "found")
    problems: list[str] = []

    def check(what: str, ask: Callable[[], str]) -> None:
        try:
            table.add_row(what, ask())
        except (SeqlabError, OSError, ImportError) as error:
            problems.append(what)
            table.add_row(what, f"PROBLEM: {error}")

    loaded = blas.load()
    settings: list[InUse] = []  # none where MLX cannot be loaded

    def ask_settings() -> str:
        settings.append(_settings(calibrate=options.calibrate))
        return settings[0].summary()

    check(
        "BLAS",
        lambda: " ".join(
            filter(None, [f"{loaded.name}, {loaded.threads or 'its own number of'} threads.", loaded.note])
        ),
    )
    check("device", _device)
    check("settings", ask_settings)
    if settings:
        check("ceilings", lambda: _ceilings(settings[0]))
    check("memory", lambda: f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB")
    check("disk", lambda: f"{shutil.disk_usage(workspace.root).free / 2**30:.1f} GiB free")
    check("Quarto", _quarto)
    check("embedded engine", lambda: choose("embedded").version)
    check("claims", lambda: f"{len(read_ledger(workspace.ledger))} in the ledger")
    check("pages", lambda: _pages(workspace))
    check("data", lambda: ", ".join(files.check_all()))
    check("downloads", lambda: "\n".join(downloads.states()))
    check("store", lambda: _stored(workspace))
    print_table(table)
    if settings and settings[0].calibration:
        print_table(_calibration(settings[0].calibration))
    return 1 if problems else 0


def _report() -> int:
    from seqlab import __version__

    blas.load()  # before MLX is imported
    from seqlab.calibration.questions import answers

    print(f"Seqlab {__version__}. No name, no host and no folder is in these lines.")
    for question, answer in answers():
        print(f"{question.asked} ({question.why}): {answer}", flush=True)
    return 0


def _device() -> str:
    from seqlab.machine import device

    found = device.current()
    return f"{found.name}, MLX {found.mlx}"


def _settings(*, calibrate: bool) -> InUse:
    """The settings that a run would get now, measured again if `calibrate` asks for it."""
    from seqlab.machine import device

    found = device.current()
    machine = Machine.here(found.kind, found.name, found.mlx)
    return measure(machine) if calibrate else in_use(machine)


def _ceilings(settings: InUse) -> str:
    """The device's measured limits: arithmetic throughput and memory bandwidth."""
    found = settings.calibration
    if found is None:
        return "not measured; the first run does, or `seqlab doctor --calibrate`"
    from seqlab.measure.ceilings import product_precision

    products, memory = number(found.flops_per_second, "FLOP/s"), number(found.bytes_per_second, "B/s")
    # The precision is still that of the calibration, which holds for one device, MLX and MLX_ENABLE_TF32.
    limits = f"matrix products {products} in {product_precision()}, memory {memory}"
    return "; ".join(filter(None, [limits, found.busy]))


def _calibration(found: Calibration) -> Table:
    """Every value that the calibration tried, with its time."""
    title = f"Calibrated in {found.seconds:.0f} s: medians and quartiles"
    table = new_table("setting", "value", "time", "25 % to 75 %", "chosen", title=title)
    for one in found.timings:
        once = one.low == one.high
        quartiles = "once" if once else f"{number(one.low, 's')} to {number(one.high, 's')}"
        table.add_row(
            one.setting, one.value, number(one.seconds, "s"), quartiles, _choice(one, found.timings)
        )
    return table


def _choice(one: Timing, timings: Sequence[Timing]) -> str:
    """Whether a value was chosen, and where a faster one was not, that it was not faster beyond noise."""
    least = min(other.seconds for other in timings if other.setting == one.setting)
    if one.chosen:
        return "chosen" if one.seconds * (1 - MIN_GAIN) <= least else "kept: too noisy"
    return ""


def _quarto() -> str:
    try:
        return choose("quarto").version
    except SeqlabError as error:  # no problem: the embedded engine takes its place
        return f"not found; the embedded engine renders instead. {error}"


def _pages(workspace: Workspace) -> str:
    pages = discover(workspace.pages, read_ledger(workspace.ledger))
    if pages.broken:
        raise UsageError("; ".join(f"{name}: {reason}" for name, reason in pages.broken.items()))
    return ", ".join(pages.experiments)


def _stored(workspace: Workspace) -> str:
    if not workspace.database.is_file():
        return f"none yet at {workspace.database}"
    with Store.reading(workspace.database) as store:
        return f"{store.rows('SELECT count(*) FROM run')[0][0]} runs at {workspace.database}, whole"
