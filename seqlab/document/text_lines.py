"""How does a text from a run become lines that every format shows as they are, within the page's width?"""

import re
import textwrap

WIDTH = 90  # characters: what the paper's width takes at the size that the theme gives a passage

# What the fonts within Typst have glyphs for, in ranges that hold no gap: PDF/UA refuses any other letter.
_ON_PAPER = re.compile(
    "[ -\u02ff\u0370-\u0482\u048a-\u04ff\u1e00-\u1eff\u2010-\u2027\u2030-\u2040\u20a0-\u20bf\u2190-\u22ff"
    "\u2500-\u262f\u2638-\u268b\n\ufffd]"
)
MISSING = "\ufffd"  # the replacement character
_JOINER = "\u2060"  # as wide as nothing: parts what a program would take for markup


def lines_of(text: str) -> list[str]:
    """The text in lines of at most `WIDTH` characters. What no format can show is `MISSING`.

    Joined again, the pieces of a line give that line: nothing is dropped at a break.
    """
    shown: list[str] = []
    for line in re.sub(r"\r\n?", "\n", text).removesuffix("\n").split("\n"):
        spaced = line.expandtabs(8)
        seen = "".join(letter if letter.isprintable() or letter == "\u00a0" else MISSING for letter in spaced)
        pieces = textwrap.wrap(
            seen,
            WIDTH,
            drop_whitespace=False,
            replace_whitespace=False,
            expand_tabs=False,
            break_on_hyphens=False,
        )
        shown += pieces or [""]
    return shown


def on_paper(text: str) -> str:
    """The text with `MISSING` for each letter that the PDF's fonts lack."""
    return "".join(letter if _ON_PAPER.match(letter) else MISSING for letter in text)


def fenced(lines: list[str]) -> str:
    """A block of code of these lines, none of which can end it, or be a short code or a cell of Quarto's."""
    text = "\n".join(lines).replace("{{<", f"{{{{{_JOINER}<")
    text = re.sub(r"^(\s*)(```|~~~)", rf"\1{_JOINER}\2", text, flags=re.MULTILINE)
    return f"````\n{text}\n````"
