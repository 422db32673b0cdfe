"""The commands beside run and report, most of which only look; tune, reference and atlas also work.

Each has a module, imported only when it is asked for, so that the others answer sooner.
"""

import argparse
from collections.abc import Callable, Mapping


def _list(options: argparse.Namespace) -> int:
    from seqlab.commands import listing

    return listing.run(options)


def _claims(options: argparse.Namespace) -> int:
    from seqlab.commands import claims

    return claims.run(options)


def _results(options: argparse.Namespace) -> int:
    from seqlab.commands import results

    return results.run(options)


def _diff(options: argparse.Namespace) -> int:
    from seqlab.commands import diff

    return diff.run(options)


def _doctor(options: argparse.Namespace) -> int:
    from seqlab.commands import doctor

    return doctor.run(options)


def _tune(options: argparse.Namespace) -> int:
    from seqlab.commands import tune

    return tune.run(options)


def _show(options: argparse.Namespace) -> int:
    from seqlab.commands import show

    return show.run(options)


def _open(options: argparse.Namespace) -> int:
    from seqlab.commands import opening

    return opening.run(options)


def _atlas(options: argparse.Namespace) -> int:
    from seqlab.commands import atlas

    return atlas.run(options)


def _choose(options: argparse.Namespace) -> int:
    from seqlab.commands import choose

    return choose.run(options)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "open": _open,
    "claims": _claims,
    "results": _results,
    "diff": _diff,
    "doctor": _doctor,
    "tune": _tune,
    "atlas": _atlas,
    "choose": _choose,
}
