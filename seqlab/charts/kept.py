"""Is a figure drawn already? A drawing tells what it was made from, so that nothing is drawn twice.

A file begins with two hashes: of what it was made from, and of what follows. A file that was cut, edited or
made by other code, other packages or from other numbers is drawn anew.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from html import escape, unescape
from importlib.metadata import version
from pathlib import Path

SOURCES = Path(__file__).parents[1]
PACKAGES = ("matplotlib", "seaborn", "numpy", "pandas")


@cache
def _made_by() -> str:
    """The code and the packages that draw, and the catalogue of metrics, in which titles and units stand."""
    files = [*sorted((SOURCES / "charts").glob("*.py")), *sorted((SOURCES / "notebook").glob("*.py"))]
    code = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return " ".join([code, *(version(package) for package in PACKAGES)])


def kept(path: Path, made_from: str) -> str | None:
    """The alt text of the drawing in `path`; None unless it is whole and made from just this."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if head + b"\n" != _head(made_from, body):
        return None
    return unescape(body.partition(b"<desc>")[2].partition(b"</desc>")[0].decode())


def kept_or_drawn(path: Path, made_from: str, draw: Callable[[], tuple[str, str]]) -> str:
    """The alt text of the drawing in `path`, which is drawn unless it is there.

    `draw` gives SVG and alt text. The file is replaced atomically.
    """
    found = kept(path, made_from)
    if found is not None:
        return found
    svg, alt = draw()
    alt = "".join(letter if letter.isprintable() else " " for letter in alt)  # XML forbids control characters
    start = svg.index(">") + 1
    body = f"{svg[:start]}<desc>{escape(alt)}</desc>{svg[start:]}".encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(_head(made_from, body) + body)
    partial.replace(path)
    return alt


def _head(made_from: str, body: bytes) -> bytes:
    key = hashlib.sha256(f"{_made_by()}\0{made_from}".encode()).hexdigest()
    return f"<!-- {key} {hashlib.sha256(body).hexdigest()} -->\n".encode()
