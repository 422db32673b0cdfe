"""Which values, names and texts may come in, from a page or from another's store?

Each function returns what was expected where it found something else, and nothing where the value is allowed.
What a run yields is checked by `seqlab.running.proper`, rows of a store by `seqlab.store.sound`.
"""

import sys
from collections.abc import Mapping
from typing import Any

from seqlab.notebook.experiment import RESERVED

LONGEST_NAME = 200  # letters of a factor, a split, a metric, an artifact, a page
LONGEST_LEVEL = 2_000  # letters of a factor's level or a setting
LARGEST_WHOLE = 2**53  # beyond, a table of 64-bit floats cannot tell two steps apart
MOST_BYTES = 100 << 20  # of one artifact

# Columns that the analysis adds to those of the factors.
COMPUTED = frozenset({"estimate", "low", "high", "n"})


def name(value: object) -> str:
    """A name: a text that is not empty, in printable characters."""
    if not isinstance(value, str) or not value or len(value) > LONGEST_NAME or not value.isprintable():
        return f"a name of 1 to {LONGEST_NAME} printable letters"
    return ""


def name_or_empty(value: object) -> str:
    """A name, or an empty text."""
    return "" if value == "" else name(value)


def factor(value: object) -> str:
    """The name of a factor: none that a table has for a column of its own."""
    if value in RESERVED or value in COMPUTED:
        return "a factor with a name that no table has for a column of its own"
    return name(value)


def level(value: object) -> str:
    """A factor's level or a setting: a text, a finite number, True or False."""
    if isinstance(value, str):
        return text(value, LONGEST_LEVEL)
    return number(value) and "a text, a finite number, True or False"


def factors(value: object) -> str:
    """The factors of a trial by name."""
    return _named(value, factor)


def settings(value: object) -> str:
    """The settings of a trial by name."""
    return _named(value, name)


def _named(value: object, of_name: Any) -> str:
    if not isinstance(value, Mapping):
        return "names with levels"
    for one, found in value.items():
        if wrong := of_name(one) or level(found):
            return wrong
    return ""


def text(value: object, longest: int = 10_000_000) -> str:
    """A text that can be written as UTF-8."""
    if not isinstance(value, str) or len(value) > longest:
        return f"a text of at most {longest:,} letters"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "a text without lone surrogates"
    return ""


def number(value: object) -> str:
    """A finite number."""
    if isinstance(value, int | float) and abs(value) <= sys.float_info.max:
        return ""
    return "a finite number"


def step(value: object) -> str:
    """A whole number, or nothing."""
    if value is None or (isinstance(value, int) and abs(value) <= LARGEST_WHOLE):
        return ""
    return "a whole number of at most 2^53, or nothing"


def shown(value: object) -> str:
    """The value in at most 60 letters, for a message of one line."""
    try:
        found = repr(value)
    except Exception:  # noqa: BLE001 - of another's class
        found = f"<{type(value).__name__}>"
    found = found.encode("ascii", "backslashreplace").decode()
    return found if len(found) <= 60 else f"{found[:57]}..."
