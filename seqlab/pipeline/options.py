"""How is a command to run and render, beside what it runs? From the command line."""

import argparse
import math
from dataclasses import dataclass, replace

from seqlab.errors import UsageError
from seqlab.running.limit import Limit
from seqlab.running.plan import Request

QUICK_SECONDS = 900.0  # that the whole report of the default budget may take; the same command goes on


@dataclass(frozen=True)
class Options:
    """How to run and render, beside what to run."""

    device: str | None = None
    memory_gib: float | None = None
    jobs: int | None = None
    dry_run: bool = False
    engine: str = "auto"
    run: bool = True
    limit: Limit | None = None
    reference: bool = True  # whether verdicts may rest on it, and its trials need not run
    timed: bool = False  # whether the limit was asked for: then all of the time is used
    scheduler: str | None = None  # of a Dask cluster whose workers run the trials

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Options":
        """From the command line; `UsageError` for a number that makes no sense."""
        if options.memory is not None and not 0 < options.memory < math.inf:
            raise UsageError(f"--memory must be above 0 GiB, found {options.memory:g}.")
        if options.jobs is not None and options.jobs < 1:
            raise UsageError(f"--jobs must be 1 or more, found {options.jobs}.")
        limit = Limit.of(options.minutes, options.hours, budget=options.budget, force=options.force)
        if limit and getattr(options, "no_run", False):
            raise UsageError("--no-run runs nothing, so --minutes and --hours limit nothing. Leave one out.")
        scheduler = getattr(options, "scheduler", None)
        if scheduler and options.jobs is not None:
            raise UsageError(
                "--jobs is about this machine, and --scheduler has as many as it has workers. Leave one out."
            )
        return cls(
            options.device,
            options.memory,
            options.jobs,
            options.dry_run,
            getattr(options, "engine", "auto"),
            not getattr(options, "no_run", False),
            limit,
            not getattr(options, "no_reference", False),
            options.minutes is not None or options.hours is not None,
            scheduler,
        )

    def limited_at_quick(self, request: Request) -> "Options":
        """The same; at the quick budget, where no other time was given, with the time that it means."""
        if request.budget != "quick" or request.force or self.limit or self.dry_run or not self.run:
            return self
        return replace(self, limit=Limit(QUICK_SECONDS))
