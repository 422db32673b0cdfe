"""The command line: list, run, report, show, open, claims, results, diff, tune, choose and the rest.

Exit status: 0 done; 1 a trial failed (the report exists), or `claims --verify` found a changed rule; 2 wrong
usage; 3 nothing ran and nothing was stored; 4 rendering failed (results are safe); 130 interrupted. A refuted
claim is a result: 0.
"""

from seqlab import signals

if __name__ == "__main__":
    signals.end_at_once()  # before anything else is imported, which takes a moment

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from seqlab import __version__
from seqlab.errors import SeqlabError, UsageError
from seqlab.notebook.experiment import BUDGETS, BudgetName
from seqlab.running.plan import Request
from seqlab.streams import unfailing, visible

LONGEST_SETTING = 1_000  # characters of one --set


def parser() -> argparse.ArgumentParser:
    """Every command and option. Options that several commands take mean the same in each."""
    top = argparse.ArgumentParser(
        prog="seqlab", description="Measure why Transformers replaced RNNs, on this machine."
    )
    top.add_argument("--version", action="version", version=f"seqlab {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    folders, trials = _folder_options(), _trial_options()

    def add(name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[folders, *parents])

    add("list", "List the experiments.")
    run = add("run", "Run one or more experiments; print their tables and verdicts.", trials)
    run.add_argument("names", nargs="+", metavar="NAME", help="an experiment, as `seqlab list` names it")
    report = add("report", "Run the trials that are due, judge the claims and render the report.", trials)
    report.add_argument(
        "--only", nargs="+", action="extend", metavar="NAME", help="run and report only these experiments"
    )
    report.add_argument(
        "--engine", choices=("auto", "quarto", "embedded"), default="auto",
        help="rendering engine (default: auto, which is Quarto if installed, else the embedded engine)",
    )  # fmt: skip
    report.add_argument("--no-run", action="store_true", help="run nothing; report the stored results")
    for command in (run, report):
        _add_no_reference(command, "judge by runs made here alone, not by report/reference/")
        _add_scheduler(command)
    show = add("show", "Print what is known of a claim or an experiment, and how to run it again.")
    show.add_argument("names", nargs="+", metavar="NAME", help="a claim, such as C17, or an experiment")
    show.add_argument(
        "--budget", choices=BUDGETS[1:], default="quick", help="of which budget (default: quick)"
    )
    add("open", "Open the last report in the browser.")
    reference = add(
        "reference",
        "Write the learning pages' stored runs into report/reference/, beside what it has.",
        _trial_options("full"),
    )
    reference.add_argument("names", nargs="*", metavar="NAME", help="a learning page (default: all of them)")
    reference.add_argument(
        "--run", action="store_true", help="first run the trials that are due; the same command goes on"
    )
    reference.add_argument(
        "--check",
        type=int,
        metavar="N",
        help="write nothing: run N of its trials anew and compare them with it",
    )
    claims = add("claims", "Print every claim with our prediction and its latest verdicts.")
    _add_no_reference(claims, "leave out verdicts that rest on report/reference/")
    claims.add_argument(
        "--verify", action="store_true", help="check that no stored rule was changed after it was fixed"
    )
    results = add("results", "Show, export or merge stored results.")
    results.add_argument(
        "action", choices=("show", "export", "merge"), nargs="?", default="show",
        help="what to do (default: show)",
    )  # fmt: skip
    results.add_argument(
        "targets",
        type=Path,
        nargs="*",
        metavar="TARGET",
        help="the folder to export to, the databases to merge, or the experiment to show",
    )
    results.add_argument(
        "--format", choices=("csv", "parquet", "json"), default="csv", help="export as (default: csv)"
    )
    diff = add("diff", "Print how verdicts changed in this store, or how they differ from another store's.")
    diff.add_argument("other", type=Path, nargs="?", help="another results database to compare with")
    tune = add("tune", "Try learning rates for a page's networks; keep what was found beside the page.")
    tune.add_argument("names", nargs="+", metavar="NAME", help="an experiment that trains networks")
    _add_machine_options(tune)
    tune.set_defaults(budget="full", force=False, dry_run=False)
    _add_atlas(add("atlas", "Measure which network is the fastest by length, width and batch; draw maps."))
    choose = add("choose", "Say which network is the fastest for given sizes, from what `atlas` measured.")
    choose.add_argument("--task", metavar="{train,decode}", help="a training step, or one more token")
    choose.add_argument("--length", metavar="N", help="tokens of a sequence, or of the context")
    choose.add_argument("--width", metavar="N", help="features")
    choose.add_argument("--batch", metavar="N", default="1", help="sequences at a time (default: 1)")
    doctor = add("doctor", "Check this machine: back end, BLAS, settings, engines, data, store.")
    doctor.add_argument(
        "--report",
        action="store_true",
        help="print what only this device can answer, as plain text without personal data",
    )
    doctor.add_argument(
        "--calibrate", action="store_true", help="measure the device's settings again (about 20 s)"
    )
    completion = commands.add_parser(
        "completion", help="Print a script that lets a shell complete commands, options and names.",
        description="Print a script that lets a shell complete commands, options and names. "
        "For bash: source <(seqlab completion bash)",
    )  # fmt: skip
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")
    return top


def _folder_options() -> argparse.ArgumentParser:
    """Where the project and its results are: for every command."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--root", type=Path, help="project folder, with experiments/ and report/ (default: this folder)"
    )
    options.add_argument("--results", type=Path, help="results folder (default: ROOT/results)")
    return options


def _add_no_reference(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--no-reference", action="store_true", help=text)


def _add_scheduler(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--scheduler", metavar="ADDRESS",
        help="run the trials on a Dask cluster: tcp://HOST:PORT, tls://HOST:PORT, or local:4",
    )  # fmt: skip


def _add_atlas(command: argparse.ArgumentParser) -> None:
    """What `atlas` measures, in which cells."""
    command.add_argument(
        "--budget", choices=BUDGETS, default="quick", help="how many cells to measure (default: quick)"
    )
    command.add_argument(
        "--tasks",
        nargs="+",
        choices=("train", "decode"),
        help="a training step, one more token (default: both)",
    )
    for name, what in (("lengths", "tokens of a sequence"), ("widths", "features"), ("batches", "sequences")):
        command.add_argument(
            f"--{name}", nargs="+", type=int, metavar="N", help=f"{what}, instead of the budget's own"
        )
    command.add_argument(
        "--longest", type=float, metavar="SECONDS",
        help="leave out cells whose slowest network takes longer for a step, as predicted (default: 2)",
    )  # fmt: skip
    command.add_argument(
        "--no-run", action="store_true", help="measure nothing; judge and draw what is stored"
    )
    command.add_argument("--dry-run", action="store_true", help="measure nothing; print which cells are due")
    _add_machine_options(command)
    _add_scheduler(command)
    command.set_defaults(force=False)


def _trial_options(budget: BudgetName = "quick") -> argparse.ArgumentParser:
    """Which trials to run, and how: for `run`, `report` and `reference`. `budget` is the default."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--budget", choices=BUDGETS, default=budget, help=f"how much to train and measure (default: {budget})"
    )
    for name in BUDGETS:
        options.add_argument(
            f"--{name}", dest="budget", action="store_const", const=name, help=argparse.SUPPRESS
        )
    options.add_argument("--seeds", type=int, metavar="N", help="number of seeds (default: the page's own)")
    options.add_argument("--seed", type=int, metavar="N", help="run only this seed")
    options.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="NAME=VALUE",
        help="change a setting, or the levels of a factor (comma-separated)",
    )  # fmt: skip
    options.add_argument(
        "--timeout", type=float, metavar="SECONDS",
        help="end a trial that takes longer (default: the page's own; seeds trained together count as one)",
    )  # fmt: skip
    _add_machine_options(options)
    options.add_argument("--force", action="store_true", help="run every planned trial again")
    options.add_argument(
        "--dry-run", action="store_true", help="run nothing; print which trials are due and why"
    )
    return options


def _add_machine_options(options: argparse.ArgumentParser) -> None:
    """How long to run, where, and with how much of it: for every command that runs trials."""
    options.add_argument(
        "--minutes", type=float, metavar="N",
        help="stop after so many minutes, report included; the same command goes on from there",
    )  # fmt: skip
    options.add_argument("--hours", type=float, metavar="N", help="the same in hours")
    options.add_argument("--device", choices=("cpu", "gpu"), help="where to run (default: MLX's own choice)")
    options.add_argument(
        "--memory", type=float, metavar="GIB",
        help="for all trials that run at once; one over its share is ended (default: 80 %% of the memory)",
    )  # fmt: skip
    options.add_argument(
        "--jobs", type=int, metavar="N",
        help="trials to run in parallel where no time is measured (default: one per core, 1 on a GPU)",
    )  # fmt: skip


def request(options: argparse.Namespace) -> Request:
    """Which trials the options ask for."""
    changes: dict[str, str] = {}
    for text in options.changes:
        name, found, value = text.partition("=")
        if not found or not name:
            raise UsageError(f"--set expects NAME=VALUE, found {text!r}. For example: --set steps=100.")
        if len(text) > LONGEST_SETTING or visible(text) != text:
            raise UsageError(
                f"--set {visible(name)[:40]} expects up to {LONGEST_SETTING} printable characters, "
                f"found {len(text)} or others."
            )
        changes[name.strip()] = value.strip()
    if options.seed is not None and options.seeds is not None:
        raise UsageError(
            f"--seed {options.seed} is one seed, --seeds {options.seeds} so many. Leave one out."
        )
    return Request(options.budget, options.seeds, options.seed, changes, options.force, options.timeout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    with unfailing() as output:
        status = _run(parser().parse_args(arguments))
        output.flush()
        if output.failed:
            print(f"seqlab: cannot print to standard output: {output.failed}.", file=sys.stderr)
        return status or int(output.failed is not None)


def _run(options: argparse.Namespace) -> int:
    try:
        return _dispatch(options)
    except SeqlabError as error:
        print(visible(f"seqlab: {error}"), file=sys.stderr)
        return error.exit_status
    except PermissionError as error:  # wherever it is met: a folder may lose its permissions at any time
        said = f"expected to be allowed to use {error.filename}, found: {error.strerror}"
        print(visible(f"seqlab: {said}. Change its permissions."), file=sys.stderr)
        return UsageError.exit_status
    except KeyboardInterrupt:
        print(
            "\nseqlab: interrupted. Finished trials are stored; run the same command again to continue.",
            file=sys.__stderr__,  # not that of a display that was interrupted
        )
        signals.leave()  # a second Ctrl-C must not wait for anything


def _dispatch(options: argparse.Namespace) -> int:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working folder was deleted. Change to another one.") from None
    # Imported here, so that `--help` and a wrong option answer at once.
    if options.command in ("run", "report", "reference"):
        from seqlab import pipeline
        from seqlab.store.workspace import Workspace

        workspace, wanted = Workspace.of(options.root, options.results), request(options)
        how = pipeline.Options.of(options)
        if options.command == "run":
            return pipeline.run(workspace, wanted, names=options.names, options=how)
        if options.command == "reference":
            from seqlab.commands import check, reference

            if options.check is not None:
                return check.run(workspace, wanted, names=options.names, options=how, count=options.check)
            return reference.run(workspace, wanted, names=options.names, options=how, runs=options.run)
        return pipeline.report(workspace, wanted, names=options.only, options=how)
    if options.command == "completion":
        from seqlab.commands import completion

        print(completion.script(parser(), options.shell))
        return 0
    from seqlab import commands

    return commands.COMMANDS[options.command](options)


def command() -> int:
    """The same for a process of its own: it ends cleanly when it is told to, however that is."""
    signals.interrupt()
    if os.path.expanduser("~") == "~" and "XDG_CACHE_HOME" not in os.environ:  # a user whom the system lacks
        import tempfile

        os.environ["XDG_CACHE_HOME"] = os.path.join(tempfile.gettempdir(), f"seqlab-cache-{os.getuid()}")
    return main()


if __name__ == "__main__":
    sys.exit(command())
