"""Is what would break a report, or reach out of its chapter, found in a page's own words?"""

import pytest

from seqlab.engines.prose import faults

KNOWN = ("arora2023zoology", "sec-methods", "sec-C01", "fig-calm-1")

GOOD = (
    "",
    "After @arora2023zoology, see [@arora2023zoology, p. 3], @sec-methods, @fig-calm-1 and [it](#sec-C01).",
    "[A page](https://example.org), [a letter](mailto:a@example.org), [a file](docs/verdicts.md).",
    "In `@mx.compile` and\n\n```python\n@mx.compile\n```\n\n- a\n- list",
    "$x^2$, $5 and $6, a --> b, an <!-- ended --> comment, B<D>, 50 % {and} more.",
    '$$\na_b\n$$ {#eq-a alt="A formula."}\n\nSee @eq-a.',
    "::: {.callout-tip}\nClosed.\n:::\n\n# Method\n\n# Method",
    "😀 漢字 עברית",
)
BAD = {
    "Some $$\\frac{a}{$$": "no TeX",
    "An $x_{$": "no TeX",
    "```{=typst}\n#panic()\n```": "raw block of typst",
    "`<b>`{=html5}": "raw html5",
    "<script>alert(1)</script>": "<script",
    '<b onclick="x">': "onclick",
    "Text.\n\n---\ninclude-in-header: /etc/hostname\n---\n\nText.": "YAML",
    "{{< include nothing.qmd >}}": "shortcode",
    "{{< env HOME >}}": "shortcode",
    "```{python}\n1 / 0\n```": "code cell",
    "@mx.compile": "@mx.compile, which is neither",
    "@fig-none": "@fig-none, which is neither",
    "[this](#nowhere)": "#nowhere",
    "[this](javascript:alert(1))": "a link to javascript",
    "[this]( JavaScript:alert(1))": "a link to JavaScript",
    "[this](data:text/html,x)": "a link to data",
    "[this]{onclick=x}": "attribute onclick",
    '[]{.drawing src="/etc/passwd.svg" alt="x"}': "attribute src",
    "![a](nothing.png)": "image nothing.png",
    "```python\nx = 1\n": "code block without an end",
    "::: {.callout-note}\nopen": "block (:::) without an end",
    "closed\n\n:::\n": "not begun",
    "a <!-- comment": "comment",
    "an $$ equation": "equation",
    "# A {#sec-methods}": "#sec-methods, which is taken",
    "# A {#sec-a}\n\n# B {#sec-a}": "#sec-a, which is taken",
}


def test_texts_that_can_be_shown_have_no_fault() -> None:
    assert faults(GOOD, KNOWN) == [""] * len(GOOD)


def test_texts_that_would_break_the_report_or_reach_out_of_it_have() -> None:
    found = dict(zip(BAD, faults(tuple(BAD), KNOWN), strict=True))
    assert [text for text, fault in found.items() if BAD[text] not in fault] == []


def test_without_pandoc_what_needs_no_parser_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.engines.prose.find", lambda: "/nonexistent/pandoc")
    assert faults(("{{< include x >}}", "@nobody"), ()) == ["a shortcode ({{< >}})", ""]


def test_a_text_that_takes_pandoc_for_ever_is_found_alone() -> None:
    found = faults(["plain", "[" * 200, "also plain"], [], timeout=3.0)
    assert found == ["", "a text that pandoc had not read after 3 s", ""]
