"""How is it told that a number comes from the reference and not from this machine?"""

import re
from datetime import date

from seqlab.analysis.findings import Shown
from seqlab.analysis.replication import Replicates
from seqlab.document.numbers import count
from seqlab.notebook.claims import Origin


def from_reference(origin: Origin, *, here: bool = True) -> str:
    """`reference: 5 seeds, AMD EPYC 9454, 12 December 2026; here: 2 trials`."""
    parts = [_several(origin.seeds, "seed"), device_name(origin.device), day(origin.date)]
    text = f"reference: {', '.join(filter(None, parts))}"
    if not here:
        return text
    agree = ", as expected" if origin.replicates == Replicates.YES else ""
    return f"{text}; here: {_several(origin.here, 'trial')}{agree}"


def replicated(origin: Origin) -> str:
    """That the reference does not hold on this machine, with figures, as a sentence; empty where it does."""
    if origin.replicates != Replicates.NO:
        return ""
    return f"Does not replicate here: {origin.figures}."


def with_place(n_text: str, shown: Shown) -> str:
    """The number of seeds of a figure, and where they were measured if not here."""
    if shown.origin is None:
        return n_text
    measured = f"reference: {device_name(shown.origin.device)}, {day(shown.origin.date)}"
    return f"{n_text}; {measured}" if n_text else measured


def since(origin: Origin) -> str:
    """What changed since the reference was measured, as a sentence; empty for nothing."""
    return f"Since the reference was measured, its code changed: {origin.changed}." if origin.changed else ""


def device_name(device: str) -> str:
    """A device as people call it: `cpu (Intel(R) Xeon(R) Processor)` is an Intel Xeon."""
    inside = re.fullmatch(r"[cg]pu \((.*)\)", device)
    name = re.sub(r"\((R|TM)\)|\bProcessor\b|\bCPU\b|@.*", " ", inside[1] if inside else device)
    return " ".join(name.split()) or device


def day(iso: str) -> str:
    """`12 December 2026`."""
    return f"{date.fromisoformat(iso):%-d %B %Y}" if iso else ""


def _several(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
