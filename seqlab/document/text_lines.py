"""How does a text from a run become lines that every format shows verbatim, within the page width?"""

import re
import textwrap

WIDTH = 90  # characters that fit the paper at the theme's font size for texts

# Ranges for which Typst's fonts have every glyph: PDF/UA refuses any other character.
_IN_PDF = (
    "\t\n\ufffd -\u02ff\u0370-\u0482\u048a-\u04ff\u1e00-\u1eff"  # Latin, Greek, Cyrillic
    "\u2010-\u2027\u2030-\u2040\u2042\u2044-\u2052\u2054-\u205e\u2060\u20a0-\u20bf"  # punctuation, currencies
    "\u2070\u2071\u2074-\u208e\u2090-\u209c"  # superscripts, subscripts
    "\u2100-\u211e\u2120\u2122\u2124\u2126-\u2151\u2153-\u2184"  # letters as symbols, fractions
    "\u2190-\u23ff\u2460-\u2606\u2609-\u262f\u2638-\u268b\u27c0-\u27ff\u2900-\u2aff"  # arrows, shapes
)
_NOT_IN_PDF = re.compile(f"[^{_IN_PDF}]")
MISSING = "\ufffd"  # the replacement character
_JOINER = "\u2060"  # word joiner, of zero width: breaks up what would be read as markup


def wrapped_lines(text: str) -> list[str]:
    """The text in lines of at most `WIDTH` characters; unprintable characters become `MISSING`.

    Breaking a line drops nothing: its pieces joined give the line again.
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


def missing_glyphs(*texts: str) -> list[str]:
    """The characters that the PDF's fonts lack: the theme's filter shows `MISSING` for them there."""
    return sorted({letter for text in texts for letter in _NOT_IN_PDF.findall(text)})


def code_block(lines: list[str]) -> str:
    """A code block of these lines, none of which can end it or act as a Quarto shortcode or cell."""
    text = "\n".join(lines).replace("{{<", f"{{{{{_JOINER}<")
    text = re.sub(r"^(\s*)(```|~~~)", rf"\1{_JOINER}\2", text, flags=re.MULTILINE)
    return f"````\n{text}\n````"
