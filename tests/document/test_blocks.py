"""Does pandoc read every user's string as exactly that text, in any kind of block?"""

import json
import subprocess
from typing import Any

import pypandoc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.document.blocks import (
    Markdown,
    attribute,
    badge,
    callout,
    code,
    escape,
    figure,
    one_line,
    pipe_table,
    slug,
)
from seqlab.errors import UsageError
from seqlab.notebook.claims import Outcome

NASTY = [
    "a|b", "<script>alert(1)</script>", "*x*", "_y_", "@fig-x", "[@key]", "$5 and $6", "back\\slash\\",
    "two\nlines", "- a", "+ a", "1. one", "12) twelve", "(1) one", "i. x", "#. x", "(@) x",
    "a -- b --- c", "wait...", "5 - 3", "{{< include /etc/passwd >}}", "`code`", "'quoted' \"twice\"",
    "# heading", "> quote", "x^2^ and ~s~", "~~~", "[a](b)", "![i](j)", "::: {.x}", "---", "% title",
    "&lt; &amp;", ":smile:", "{=html}", "^[note]", "| x", "\t x", "<< x >>", "=== x", "http://x.y/z",
    "-1.5", "0.5", "-", "1.", "\\", "café × 10⁻⁷", "a_b_c", "<!-- x -->",
]  # fmt: skip


def parse(markdown: str) -> list[Any]:
    """The document's blocks; a warning of pandoc fails the test."""
    done = subprocess.run(
        [pypandoc.get_pandoc_path(), "-f", "markdown", "-t", "json", "--fail-if-warnings"],
        input=markdown, capture_output=True, text=True, check=True,
    )  # fmt: skip
    blocks: list[Any] = json.loads(done.stdout)["blocks"]
    return blocks


def text_of(inlines: list[Any]) -> str:
    """The text of plain words and spaces; anything else shows up as what it is."""
    return "".join(
        part["c"] if part["t"] == "Str" else " " if part["t"] == "Space" else f"⟨{part['t']}⟩"
        for part in inlines
    )


def test_escaped_text_is_read_as_that_text() -> None:
    blocks = parse("\n\n<!-- -->\n\n".join(escape(text) for text in NASTY))
    paragraphs = [block for block in blocks if block["t"] != "RawBlock"]
    assert [block["t"] for block in paragraphs] == ["Para"] * len(NASTY)
    assert [text_of(block["c"]) for block in paragraphs] == [one_line(text) for text in NASTY]


def test_escaped_text_survives_in_table_cells() -> None:
    (table,) = parse(pipe_table(["a", "b|c"], [[text, "end"] for text in NASTY], widths=[60, 40], align="lr"))
    rows = table["c"][4][0][3]
    cells = [[text_of(cell[4][0]["c"]) for cell in row[1]] for row in rows]
    assert cells == [[one_line(text), "end"] for text in NASTY]


def test_escaped_text_survives_in_attributes_code_and_titles() -> None:
    blocks = parse(
        "\n\n".join(
            figure("f.svg", caption=text, label=f"fig-{number}", alt=text)
            + "\n\n"
            + code(text)
            + "\n\n"
            + callout("note", title=text, body=text)
            for number, text in enumerate(NASTY)
        )
    )
    for text, (figure_block, inline, box) in zip(NASTY, zip(*[iter(blocks)] * 3, strict=True), strict=True):
        wanted = one_line(text).replace("{{", "{ {").replace("}}", "} }")
        image = figure_block["c"][2][0]["c"][0]["c"]
        assert dict(image[0][2])["fig-alt"] == wanted
        assert text_of(image[1]) == one_line(text)
        assert inline["c"][0]["t"] == "Code"
        assert inline["c"][0]["c"][1] == one_line(text)
        assert dict(box["c"][0][2])["title"] == wanted
        assert text_of(box["c"][1][0]["c"]) == one_line(text)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(alphabet="ab1 .-*_`|\\<>{}[]()#@$~^&!'\":+=%/\n", min_size=1), min_size=20, max_size=40)
)
def test_any_mixture_of_punctuation_stays_text(texts: list[str]) -> None:
    texts = [text for text in texts if one_line(text)]
    blocks = parse("".join(f"\n\n::: x\n{escape(text)}\n:::\n" for text in texts))
    assert [[text_of(inner["c"]) for inner in block["c"][1]] for block in blocks] == [
        [one_line(text)] for text in texts
    ]


def test_markdown_is_left_alone_and_text_is_not() -> None:
    assert escape(Markdown("*x*")) == "*x*"
    assert escape("*x*") == r"\*x\*"
    assert escape(" (note) ") == r" \(note\) "


def test_a_table_says_which_row_does_not_fit() -> None:
    with pytest.raises(UsageError, match="needs 2 cells, found 1"):
        pipe_table(["a", "b"], [["1", "2"], ["3"]], label="tbl-x")
    with pytest.raises(UsageError, match="widths and alignment"):
        pipe_table(["a", "b"], [], widths=[100])


def test_a_table_has_its_label_and_widths() -> None:
    text = pipe_table(["a", "b"], [["1", "2"]], caption="Costs of {x}", label="tbl-costs", widths=[60, 40])
    assert text.endswith(r': Costs of \{x\} {#tbl-costs tbl-colwidths="[60,40]"}')


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_badge_carries_the_outcome_as_text_and_as_class(outcome: Outcome) -> None:
    (paragraph,) = parse(badge(outcome))
    (identifier, classes, _), inlines = paragraph["c"][0]["c"]
    assert text_of(inlines) == outcome.value
    assert classes == ["verdict", outcome.value.replace(" ", "-")]
    assert identifier == ""


def test_a_folded_callout_says_so() -> None:
    assert 'collapse="true"' in callout("note", title="t", body="b", collapse=True)
    assert "collapse" not in callout("note", title="t", body="b")


def test_slugs_are_safe_labels() -> None:
    assert slug("My Page_2: ä!") == "my-page-2"
    assert slug("ä") == "x"
    assert attribute('a "b"\n') == r"a \"b\""
