"""Which tokens does a Python file have, and how is a line of tokens written as text again?

Comments and blank lines are dropped. Each string, with all that an f-string holds, and each number is one
token.
"""

import io
import keyword
import tokenize
from collections.abc import Iterable
from platform import python_version

from seqlab.errors import DataError

NEWLINE, INDENT, DEDENT, STRING, NUMBER = "<newline>", "<indent>", "<dedent>", "<string>", "<number>"
MARKS = {
    tokenize.NEWLINE: NEWLINE,
    tokenize.INDENT: INDENT,
    tokenize.DEDENT: DEDENT,
    tokenize.STRING: STRING,
    tokenize.NUMBER: NUMBER,
}
DROPPED = frozenset([tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER])
# From Python 3.12 and 3.14 on, strings with fields are several tokens between these.
OPENING, CLOSING = (
    frozenset(
        getattr(tokenize, name) for name in (f"FSTRING_{end}", f"TSTRING_{end}") if hasattr(tokenize, name)
    )
    for end in ("START", "END")
)

WRITTEN = {NEWLINE: "⏎", INDENT: "", DEDENT: "", STRING: '"…"', NUMBER: "0"}
NO_SPACE_AFTER = ("(", "[", "{", ".", "@", "~")
NO_SPACE_BEFORE = (")", "]", "}", ".", ",", ":", ";", NEWLINE)


def tokens_of(name: str, data: bytes) -> list[str]:
    """The tokens of one file. Raises `DataError` where this Python cannot read it."""
    found: list[str] = []
    inside = 0  # strings with fields, one within another
    try:
        for kind, text, *_ in tokenize.tokenize(io.BytesIO(data).readline):
            if kind in OPENING:
                inside += 1
            elif kind in CLOSING:
                inside -= 1
                if not inside:
                    found.append(STRING)
            elif not inside and kind not in DROPPED:
                found.append(MARKS.get(kind, text))
    except (SyntaxError, tokenize.TokenError) as error:
        raise DataError(
            f"expected Python that Python {python_version()} reads in {name}, found an error: {error}. "
            "Reinstall this Python."
        ) from None
    return found


def is_identifier(token: str) -> bool:
    """Whether a token is an identifier; keywords are none."""
    return token.isidentifier() and not keyword.iskeyword(token)


def first_line(tokens: list[str]) -> list[str]:
    """The tokens up to the end of the line, its mark included."""
    return tokens[: tokens.index(NEWLINE) + 1] if NEWLINE in tokens else tokens


def as_text(tokens: Iterable[str]) -> str:
    """A line of tokens with spaces about as a programmer sets them."""
    text, before = "", ""
    for token in tokens:
        shown = WRITTEN.get(token, token)
        tight = (
            not text or not shown or token in NO_SPACE_BEFORE or before in NO_SPACE_AFTER
            or (token in "([" and (is_identifier(before) or before in ")]"))
        )  # fmt: skip
        text += shown if tight else " " + shown
        before = token
    return text
