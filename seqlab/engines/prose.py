"""Which texts of pages would break the report, or reach out of their chapter, and by what?

A page's prose and captions are Markdown. Whatever in it ends the rendering of all chapters (an unknown
citation or label, a formula that is none), opens something that the next chapter closes, runs (cells, raw
HTML or Typst, scripts in links), or reads files (shortcodes, YAML) is found here, before rendering.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence

from seqlab.engines.pandoc import HERE, READER, find
from seqlab.engines.source import EQUATION, parts
from seqlab.errors import RenderError

# With labels only where the text gives them, so that "# Method" on two pages is no conflict.
_FORMAT = f"{READER}-auto_identifiers"
_CELL = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*\{\s*[^.#=\s]", re.MULTILINE)
# Without such tags HTML in a text does nothing; Quarto would pass them on.
_ACTIVE = re.compile(
    r"<\s*(script|style|iframe|object|embed|link|meta|base|form|svg|img|video|audio)\b|<[^>]*\son\w+\s*=",
    re.I,
)
_DIV = re.compile(r"^ {0,3}:{3,}(.*)$", re.MULTILINE)


def faults(texts: Sequence[str], known: Iterable[str], *, timeout: float = 20.0) -> list[str]:
    """For each text, what in it cannot be shown in the report; empty for one that can.

    `known` holds the labels of the rest of the document and the keys of the bibliography. Without pandoc,
    which Quarto brings its own of, only what needs no parser is found. A text that pandoc cannot read within
    `timeout` seconds, as many brackets that are never closed, could not be rendered either.
    """
    found = [_unbalanced(text) for text in texts]
    places = [place for place, fault in enumerate(found) if not fault and texts[place].strip()]
    for place, fault in _parsed(texts, places, sorted(known), timeout):
        found[place] = fault
    return found


def _parsed(
    texts: Sequence[str], places: Sequence[int], known: Sequence[str], timeout: float
) -> Iterator[tuple[int, str]]:
    """What pandoc finds in the texts at these places; where it takes too long, in each half of them."""
    if not places:
        return
    asked = {
        "format": _FORMAT,
        "known": known,
        "texts": [EQUATION.sub(r"[\1]\2", texts[place]) for place in places],
    }
    try:
        done = subprocess.run(
            [str(find()), "lua", str(HERE / "prose.lua")],
            input=json.dumps(asked, ensure_ascii=True), capture_output=True, encoding="utf-8",
            timeout=timeout,
        )  # fmt: skip
        told = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        if len(places) == 1:
            yield places[0], f"a text that pandoc had not read after {timeout:.0f} s"
            return
        middle = len(places) // 2
        for half in (places[:middle], places[middle:]):
            yield from _parsed(texts, half, known, timeout)
        return
    except (RenderError, OSError, ValueError):
        return
    yield from zip(places, told, strict=True)


def _unbalanced(text: str) -> str:
    """What the text opens and does not close, or what an engine would run; empty for nothing."""
    pieces = parts(text)
    if pieces and pieces[-1][0] and _is_open(pieces[-1][1]):
        return "a code block without an end"
    if "{{<" in text:
        return "a shortcode ({{< >}})"
    if _CELL.search(text):
        return "a code cell (```{language}), which Quarto would run; write ```language"
    plain = re.sub(r"(`+).+?\1", "", "".join(piece for fenced, piece in pieces if not fenced))
    if active := _ACTIVE.search(plain):
        return f"HTML ({active[0]} …)"
    if "<!--" in re.sub(r"<!--.*?-->", "", plain, flags=re.DOTALL):
        return "a comment (<!--) without an end"
    if plain.count("$$") % 2:
        return "an equation ($$) without an end"
    depth = 0
    for inside in _DIV.findall(plain):
        depth += 1 if inside.strip(" :") else -1
        if depth < 0:
            return "an end (:::) of what was not begun"
    return "a block (:::) without an end" if depth else ""


def _is_open(piece: str) -> bool:
    """Whether the last fence of a piece of fenced code lacks its end."""
    fence = ""
    for line in piece.splitlines():
        mark = re.match(r"^ {0,3}(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip(" `~"):
            fence = ""
    return bool(fence)
