"""How are templates filled in? By a Jinja environment that escapes every printed value by default.

`<< >>`, `<% %>` and `<# #>` are the delimiters, since Quarto's shortcodes are `{{< >}}` and its
labels `{#…}`. Undefined names are errors. A value is printed as it is only if it is `Markdown`.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from seqlab.document import blocks, numbers
from seqlab.document.blocks import Markdown, escape
from seqlab.document.measured import (
    brief,
    claimed,
    evidence,
    measured,
    not_run,
    plain_levels,
    summary,
    unsettled,
)
from seqlab.document.origins import from_reference, replicated, since
from seqlab.document.sound import told
from seqlab.errors import RenderError
from seqlab.notebook.claims import Comparison, Fairness, Rule
from seqlab.notebook.metrics import METRICS
from seqlab.notebook.rerun import command
from seqlab.store.database import StoredVerdict


def shorten(text: str, longest: int = 60) -> str:
    """The text, cut after a word with an ellipsis if it is too long for a table cell."""
    if len(text) <= longest:
        return text
    return text[: longest - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"


def sentence(text: str) -> str:
    """The text with a full stop, unless it already ends a sentence."""
    text = text.rstrip()
    return text if not text or text.rstrip(')”’"').endswith((".", "!", "?", "…")) else text + "."


def sides(rule: Rule) -> tuple[str, str]:
    """The names of the left and the right side of a comparison."""
    if not isinstance(rule, Comparison):
        return "left", "right"
    right = [plain_levels(where) for where in rule.opponents]
    chosen = right[0] if len(right) == 1 else f"the best of {len(right)} opponents"
    return plain_levels(rule.left), chosen


def amount_given(record: Fairness, side: float | None) -> str:
    """The amount of a quantity that one side of a comparison was given, with its unit."""
    if side is None:
        return "no training" if record.quantity == "late_gain" else "not recorded"
    return numbers.number(side, METRICS[record.quantity].unit if record.quantity in METRICS else "")


def moved_effect(verdict: StoredVerdict) -> str:
    """The effect of a stored verdict with its interval, without unit; empty where there is none."""
    if verdict.effect is None:
        return ""
    if verdict.low is None or verdict.high is None:
        return numbers.significant(verdict.effect)
    return numbers.interval(verdict.effect, verdict.low, verdict.high)


def environment(sources: Path) -> jinja2.Environment:
    """The Jinja environment of `sources/templates`. Raises `RenderError` if the folder is missing."""
    folder = sources / "templates"
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
        levels=plain_levels,
        url=lambda text: Markdown(quote(str(text), errors="replace")),
        title_of=lambda text: text.rstrip("."),
        sentence=sentence,
    )
    jinja.globals.update(
        table=blocks.pipe_table,
        figure=blocks.figure,
        drawing=blocks.drawing,
        measured=measured,
        summary=summary,
        not_run=not_run,
        unsettled=unsettled,
        brief=brief,
        claimed=claimed,
        evidence=evidence,
        passages=blocks.passages,
        effect=numbers.effect,
        threshold=numbers.threshold,
        kind_of_effect=numbers.kind_of_effect,
        p_value=numbers.p_value,
        interval=numbers.interval,
        metrics=METRICS,
        sides=sides,
        amount_given=amount_given,
        from_reference=from_reference,
        replicated=replicated,
        since=since,
        moved_effect=moved_effect,
        problems_told=told,
        command=command,
    )
    return jinja


def render(jinja: jinja2.Environment, name: str, **values: Any) -> str:
    """Fill in one template; `RenderError` names the template and the line with the error."""
    try:
        text = jinja.get_template(name).render(**values)
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(f"report/templates/{error.name}, line {error.lineno}: {error.message}.") from error
    except (jinja2.UndefinedError, jinja2.TemplateNotFound) as error:
        raise RenderError(f"report/templates/{name}: {error}. Correct the template.") from error
    return _tidied(text)


def _tidied(text: str) -> str:
    """The text without the blank lines that template tags leave; code blocks stay unchanged."""
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
