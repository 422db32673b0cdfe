"""Which chapters' own words would break the report, and what stands in their place?

A page's prose and captions are Markdown, written by whoever wrote the page. Where something in them would end
the rendering of all chapters, that chapter alone shows them as they are written and says what is wrong.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from seqlab.document.blocks import Markdown, callout, escape, slug
from seqlab.document.content import Chapter, Report
from seqlab.document.text_lines import code_block, wrapped_lines

# For each text what in it cannot be shown, given the labels and citation keys that there are.
Check = Callable[[Sequence[str], Iterable[str]], Sequence[str]]

_LABEL = re.compile(r"\{#([a-z][\w-]*)[ }]")
_ENTRY = re.compile(r"^\s*@\w+\s*\{\s*([^,\s]+)\s*,", re.MULTILINE)


def sound(report: Report, keys: Sequence[str], *, sources: Path, check: Check) -> Report:
    """The report with chapters that every engine can render; `keys` are those of their labels.

    A chapter's `problems` tell what was changed.
    """
    texts = [text for chapter in report.chapters for text in chapter.texts]
    told = iter(check(texts, _known(report, keys, sources)))
    chapters = [_sound(chapter, *(next(told) for _ in chapter.texts)) for chapter in report.chapters]
    return replace(report, chapters=tuple(chapters))


def _sound(chapter: Chapter, fault: str, *of_captions: str) -> Chapter:
    problems = list(chapter.problems)
    prose, count = chapter.prose, len(chapter.figures)
    if fault:
        told = f"its text has {fault}. Correct {chapter.source}; the text is shown as it is written"
        problems.append(told)
        prose = code_block(wrapped_lines(chapter.prose))
    problems += [f"a caption has {one}. Correct {chapter.source}" for one in of_captions if one]
    figures = [
        replace(shown, caption=escape(shown.caption)) if wrong else shown
        for shown, wrong in zip(chapter.figures, of_captions[:count], strict=True)
    ]
    tables = [
        replace(shown, caption=escape(shown.caption)) if wrong else shown
        for shown, wrong in zip(chapter.tables, of_captions[count:], strict=True)
    ]
    return replace(
        chapter, prose=prose, figures=tuple(figures), tables=tuple(tables), problems=tuple(problems)
    )


def _known(report: Report, keys: Sequence[str], sources: Path) -> set[str]:
    """The labels that the document will have without the chapters' own, and the bibliography's keys."""
    known = {f"sec-{slug(claim)}" for claim in report.ledger}
    for template in (sources / "templates").glob("*.qmd"):
        known.update(_LABEL.findall(template.read_text(encoding="utf-8")))
    known.update(_ENTRY.findall((sources / "references.bib").read_text(encoding="utf-8")))
    for key, chapter in zip(keys, report.chapters, strict=True):
        known.add(f"sec-{key}")
        known.update(f"fig-{key}-{number}" for number in range(1, len(chapter.figures) + 1))
        known.update(f"tbl-{key}-{number}" for number in range(1, len(chapter.tables) + 1))
    return known


def told(problems: Sequence[str]) -> Markdown:
    """A chapter's problems as a callout; empty for none."""
    if not problems:
        return Markdown("")
    body = Markdown("\n".join(f"- {escape(problem[:1].upper() + problem[1:])}." for problem in problems))
    return callout("warning", title="Part of this page could not be shown", body=body)
