"""How do words meet numbers? A Jinja environment in which everything printed is escaped by default.

`<< >>`, `<% %>` and `<# #>` are the delimiters, since Quarto's short codes are `{{< >}}` and its
labels `{#…}`. Undefined names are errors. A value is printed as it is only if it is `Markdown`.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from seqlab.document import blocks, numbers
from seqlab.document.blocks import Markdown, escape
from seqlab.errors import RenderError
from seqlab.notebook.claims import Comparison, Fairness, Rule
from seqlab.notebook.metrics import METRICS


def shorten(text: str, longest: int = 60) -> str:
    """Cut at a word, with an ellipsis, where the text is longer than a table cell should be."""
    if len(text) <= longest:
        return text
    return text[: longest - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"


def sentence(text: str) -> str:
    """End with a full stop where nothing ends the sentence yet."""
    text = text.rstrip()
    return text if not text or text.endswith((".", "!", "?", "…")) else text + "."


def levels(values: Mapping[str, object]) -> str:
    """`model LSTM, length 64`: factor levels in words."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def sides(rule: Rule) -> tuple[str, str]:
    """What a comparison puts on its left and on its right."""
    if not isinstance(rule, Comparison):
        return "left", "right"
    right = [", ".join(str(value) for value in where.values()) for where in rule.opponents]
    chosen = right[0] if len(right) == 1 else f"the best of {len(right)} opponents"
    return ", ".join(str(value) for value in rule.left.values()), chosen


def given(record: Fairness, side: float | None) -> str:
    """What a side of a comparison was given, in the unit of what was counted."""
    if side is None:
        return "not recorded"
    return numbers.number(side, METRICS[record.quantity].unit if record.quantity in METRICS else "")


def environment(words: Path) -> jinja2.Environment:
    """The templates of `words/templates`. `RenderError` where the folder is missing."""
    folder = words / "templates"
    if not folder.is_dir():
        raise RenderError(f"expected the report's templates in {folder}, found none. Restore the folder.")
    jinja = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=escape,
        autoescape=False,  # HTML escaping would garble Markdown; `finalize` escapes instead
        extensions=["jinja2.ext.do"],
    )
    jinja.filters.update(
        markdown=Markdown,
        yaml=lambda text: Markdown(json.dumps(str(text), ensure_ascii=False)),
        slug=lambda text: Markdown(blocks.slug(text)),
        code=blocks.code,
        badge=blocks.badge,
        attribute=lambda text: Markdown(blocks.attribute(text)),
        number=numbers.number,
        count=numbers.count,
        duration=numbers.duration,
        shorten=shorten,
        levels=levels,
        sentence=sentence,
    )
    jinja.globals.update(
        table=blocks.pipe_table,
        figure=blocks.figure,
        passages=blocks.passages,
        effect=numbers.effect,
        threshold=numbers.threshold,
        kind_of_effect=numbers.kind_of_effect,
        p_value=numbers.p_value,
        interval=numbers.interval,
        metrics=METRICS,
        sides=sides,
        given=given,
    )
    return jinja


def render(jinja: jinja2.Environment, name: str, **values: Any) -> str:
    """Fill one template in; `RenderError` names the template and the line at fault."""
    try:
        text = jinja.get_template(name).render(**values)
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(f"report/templates/{error.name}, line {error.lineno}: {error.message}.") from error
    except (jinja2.UndefinedError, jinja2.TemplateNotFound) as error:
        raise RenderError(f"report/templates/{name}: {error}. Mend the template.") from error
    return _tidied(text)


def _tidied(text: str) -> str:
    """Without the blanks that a template's own lines leave behind; blocks of code stay as they are."""
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if fence:
            fence = "" if line.rstrip() == fence else fence
            kept.append(line)
            continue
        stripped, mark = line.rstrip(), re.match("`{3,}", line)
        fence = mark[0] if mark else ""
        if stripped or not kept or kept[-1]:
            kept.append(stripped)
    return "\n".join(kept).strip("\n") + "\n"
