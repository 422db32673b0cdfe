"""Which text does pandoc read? The document with its includes inserted and its equations labelled as spans.

Pandoc knows neither `{{< include _chapter.qmd >}}` nor `$$ … $$ {#eq-a alt="…"}`: Quarto adds both. Here
they become plain pandoc Markdown, and comments are removed. Fenced code stays as it is.
"""

import re
from pathlib import Path

from seqlab.engines import DOCUMENT
from seqlab.errors import RenderError

_INCLUDE = re.compile(r"^\{\{<\s*include\s+(\S+)\s*>\}\}[ \t]*$", re.MULTILINE)
EQUATION = re.compile(r"(\$\$(?:(?!\$\$).)+\$\$)\s*(\{#eq-[^}\n]*\})", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


def expand(project: Path) -> str:
    """The whole of `report.qmd` as pandoc Markdown. Raises `RenderError` for an include that fails."""
    text = _included(project.resolve(), DOCUMENT, seen=())
    return "".join(
        part if fenced else EQUATION.sub(r"[\1]\2", _COMMENT.sub("", part)) for fenced, part in parts(text)
    )


def _included(project: Path, name: str, *, seen: tuple[str, ...]) -> str:
    if name in seen:
        raise RenderError(f"{name} includes itself ({' > '.join([*seen, name])}). Remove one include.")
    path = (project / name).resolve()
    if not path.is_relative_to(project):
        raise RenderError(
            f"expected includes inside the project folder, found {name!r}. Move the file there."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        includer = f", included by {seen[-1]}" if seen else ""
        raise RenderError(f"expected a text file {name}{includer}; it cannot be read: {problem}.") from None

    def insert(match: re.Match[str]) -> str:
        # Blank lines around it keep a heading from being swallowed by the paragraph before.
        return "\n" + _included(project, match[1], seen=(*seen, name)) + "\n"

    return "".join(part if fenced else _INCLUDE.sub(insert, part) for fenced, part in parts(text))


def parts(text: str) -> list[tuple[bool, str]]:
    """Split the text into pieces, in order: (whether it is fenced code, its lines)."""
    found: list[tuple[bool, str]] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        closing = bool(fence and mark and mark[1].startswith(fence) and not line.strip(" \n`~"))
        code = bool(fence) or mark is not None
        if mark and not fence:
            fence = mark[1]
        elif closing:
            fence = ""
        if found and found[-1][0] == code:
            found[-1] = (code, found[-1][1] + line)
        else:
            found.append((code, line))
    return found
