"""Simulate ledgers whose truth is known, and print how often `judge` is right: `nox -s simulate`.

nox -s simulate                        1,000 ledgers a condition: about a quarter of an hour on two cores
nox -s simulate -- --ledgers 100       coarsely, in two minutes
nox -s simulate -- --write             put the tables into docs/verdicts.md
"""

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.simulation.agreeing import table as agreement_table
from tests.simulation.replicating import table as replication_table
from tests.simulation.tables import tables

DOCUMENT = Path(__file__).parents[2] / "docs" / "verdicts.md"


def parts(ledgers: int, processes: int) -> Iterator[tuple[str, str]]:
    """Each table, with the name of the part of the document that it belongs to."""
    for table in tables(ledgers, processes):
        yield "simulation", table
    yield "replication", replication_table(ledgers, processes)
    yield "devices", agreement_table(-(-ledgers // 2), processes)


def main() -> None:
    """Read the options, simulate, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="nox -s simulate --", description="How often are verdicts right?")
    parser.add_argument("--ledgers", type=int, default=1_000, help="ledgers a condition (default: 1,000)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: one a core")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{DOCUMENT.name}")
    options = parser.parse_args()
    if options.ledgers < 1 or options.processes < 1:
        parser.error("ledgers and processes must be 1 or more.")
    found = defaultdict[str, list[str]](list)
    for name, part in parts(options.ledgers, options.processes):
        print(part, end="\n\n", flush=True)
        found[name].append(part)
    if options.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        for name, tables_of_part in found.items():
            shown = "\n\n".join(tables_of_part)
            begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
            if begin not in text or end not in text:
                parser.error(f"{DOCUMENT.name} lacks the lines {begin} and {end}. Restore them.")
            before, _, rest = text.partition(begin)
            text = f"{before}{begin}\n{shown}\n{end}{rest.partition(end)[2]}"
        DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
