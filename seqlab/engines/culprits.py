"""Which chapters are it that cannot be rendered, where a document of all of them cannot?"""

from collections.abc import Callable, Sequence


def culprits(names: Sequence[str], renders: Callable[[Sequence[str]], bool]) -> list[str]:
    """The chapters to leave out, found by halving; `renders` tells whether a document of these alone does.

    Empty where not even a document without any chapter renders: then the fault lies elsewhere. Of two
    chapters that fail only together, the later one is left out.
    """
    if not renders(()):
        return []
    found: list[str] = []
    good: list[str] = []
    parts = [list(names)]
    while parts:
        part = parts.pop(0)
        if renders([*good, *part]):
            good += part
        elif len(part) == 1:
            found += part
        else:
            half = len(part) // 2
            parts[:0] = [part[:half], part[half:]]
    return found
