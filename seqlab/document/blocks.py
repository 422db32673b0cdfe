"""How is a block of Quarto Markdown built, so that no user's string can break out of it?

A plain `str` is text and gets escaped; `Markdown` is a string that is already safe. All blocks take either
and return `Markdown`, which both Quarto and plain pandoc accept.
"""

import re
from collections.abc import Sequence

from seqlab.document.text_lines import code_block, wrapped_lines
from seqlab.errors import UsageError
from seqlab.notebook.claims import Outcome

SPECIAL = re.compile(r"[\\`*_{}\[\]()<>#|~^$@&!'\"+:=%]")


class Markdown(str):
    """Text that is already Quarto Markdown and is not escaped."""

    __slots__ = ()


def one_line(text: str) -> str:
    """Collapse white space and drop control characters, which no output format shows."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable() or letter == "\u00a0")


def escape(text: object) -> Markdown:
    """Any value as Markdown that renders as exactly this text, on one line.

    Every character that pandoc, Quarto's shortcodes or smart typography may interpret gets a backslash; so do
    hyphens and full stops that could make a list, a rule, a dash or an ellipsis. A space at either end stays,
    so that templates can join words.
    """
    if isinstance(text, Markdown):
        return text
    raw = str(text)
    safe = SPECIAL.sub(r"\\\g<0>", one_line(raw))
    safe = re.sub(r"(?<=[-.])[-.]|[-.](?=[-.])|^-|(?<=\s)-(?=\s)", r"\\\g<0>", safe)
    safe = re.sub(r"^(\d+|[A-Za-z])\.(?=\s|$)", r"\1\\.", safe)
    return Markdown(" " * (raw[:1] == " ") + safe + " " * (bool(safe) and raw[-1:] == " "))


def attribute(text: str) -> str:
    """A value for use between double quotes in `{#id key="…"}`, in a table's cell, too."""
    return re.sub(r"[\\\"&|]", r"\\\g<0>", one_line(text)).replace("{{", "{ {").replace("}}", "} }")


def slug(text: str) -> str:
    """A name as part of a label: letters, digits and hyphens, never empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def code(text: str) -> Markdown:
    """Inline code, also of text with backquotes."""
    line = one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return Markdown(f"{fence}{pad}{line}{pad}{fence}")


def _cell(value: object) -> str:
    return one_line(escape(value)) or " "


def pipe_table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    caption: str = "",
    label: str = "",
    widths: Sequence[int] = (),
    align: str = "",
) -> Markdown:
    """A pipe table. `widths` are per cent of the page; `align` has an `l`, `r` or `c` for each column.

    Raises `UsageError` if a row, the widths or the alignment do not match the head.
    """
    for what, found in (("row", row) for row in rows):
        if len(found) != len(head):
            raise UsageError(
                f"a {what} of table {label or caption!r} needs {len(head)} cells, found {len(found)}."
            )
    widths = tuple(widths) or (100 // len(head),) * len(head)
    align = align or "l" * len(head)
    if len(widths) != len(head) or len(align) != len(head):
        raise UsageError(f"table {label or caption!r} needs widths and alignment for {len(head)} columns.")
    # Pandoc takes relative widths from the dashes if a line is long, Quarto from tbl-colwidths.
    marks = {"l": ":{}-", "r": "-{}:", "c": ":{}:"}
    rule = [marks[side].format("-" * max(width, 1)) for side, width in zip(align, widths, strict=True)]
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in (head, *rows)]
    lines.insert(1, "|" + "|".join(rule) + "|")
    if caption:
        name = f"#{label} " if label else ""
        columns = ",".join(map(str, widths))
        lines += ["", f': {one_line(escape(caption))} {{{name}tbl-colwidths="[{columns}]"}}']
    return Markdown("\n".join(lines))


def figure(path: str, *, caption: str, label: str, alt: str) -> Markdown:
    """An image with its caption, label and alternative text, alone in its paragraph."""
    target = path.replace("\\", "/").replace(" ", "%20").replace("(", "%28").replace(")", "%29")
    return Markdown(f'![{one_line(escape(caption))}]({target}){{#{label} fig-alt="{attribute(alt)}"}}')


def drawing(path: str, *, alt: str, width: str = "") -> Markdown:
    """A small picture within a line or a table cell; `width` is its width on paper, such as `42mm`."""
    wide = f' width="{width}"' if width else ""
    return Markdown(f'[]{{.drawing src="{attribute(path)}" alt="{attribute(alt)}"{wide}}}')


def passages(texts: Sequence[tuple[str, str]], *, caption: str, label: str) -> Markdown:
    """Verbatim texts, each under its title, in one figure. Its label allows a break between pages."""
    parts = [f"::: {{#{label} .passages}}"]
    for title, text in texts:
        parts += ["::: {.passage-title}", escape(title.strip()), ":::"] if title.strip() else []
        parts.append(code_block(wrapped_lines(text)))
    parts += [] if texts else ["Nothing to show."]
    return Markdown("\n\n".join([*parts, one_line(escape(caption)), ":::"]))


def callout(kind: str, *, title: str, body: str, collapse: bool = False) -> Markdown:
    """A callout (`note`, `tip`, `warning`, `important`, `caution`); `collapse` folds it in HTML."""
    folded = ' collapse="true"' if collapse else ""
    return Markdown(f'::: {{.callout-{kind} title="{attribute(title)}"{folded}}}\n\n{escape(body)}\n\n:::')


def badge(outcome: Outcome) -> Markdown:
    """The outcome as a coloured word: `[not supported]{.verdict .not-supported}`."""
    return Markdown(f"[{outcome.value}]{{.verdict .{slug(outcome.value)}}}")
