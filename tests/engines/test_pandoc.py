"""Does the embedded engine render all that the report may use, in both formats, and refuse what is broken?"""

import base64
import html
import re
import subprocess
from hashlib import sha256
from pathlib import Path
from shutil import which

import pytest
import typst

from seqlab.engines import Rendered, pandoc
from seqlab.errors import RenderError
from tests.engines.sample import FRONT, VERBATIM, write_project


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return pandoc.render(write_project(tmp_path_factory.mktemp("sample") / "project"))


@pytest.fixture(scope="module")
def page(sample: Rendered) -> str:
    assert sample.html
    return sample.html.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def prose(page: str) -> str:
    """What a reader of the HTML sees, white space folded."""
    text = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def markup(sample: Rendered) -> str:
    """The Typst source of the PDF."""
    assert sample.pdf
    return (sample.pdf.parents[1] / "report.typ").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(sample: Rendered) -> list[str]:
    """The PDF's headings, as Typst itself lists them."""
    assert sample.pdf
    typ = sample.pdf.parents[1] / "report.typ"
    told = typst.query(typ, "heading", field="level", ignore_system_fonts=True)
    return re.findall(r"\d", told)


def test_says_what_it_is(sample: Rendered) -> None:
    assert sample.engine == "embedded"
    assert re.fullmatch(r"pandoc \d[\d.]*, Typst \d[\d.]*", sample.version)
    assert sample.messages == ()


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("fig-curve", "Figure 1"),
        ("fig-pair", "Figure 2"),
        ("fig-left", "Figure 2 (a)"),
        ("tbl-long", "Table 2"),
        ("eq-cell", "Equation 1"),
        ("sec-rules", "Section 2.1"),
        ("sec-provenance", "Appendix A"),
    ],
)
def test_references_are_numbered_links_in_both_formats(page: str, markup: str, label: str, text: str) -> None:
    assert re.search(rf'<a href="#{label}"[^>]*>{re.escape(text)}</a>', page.replace("\u00a0", " "))
    assert f'id="{label}"' in page
    plain = markup.replace("~", " ").replace(r"\(", "(")
    assert f"#link(<{label}>)[{text}]" in plain
    assert re.search(rf"<{label}>(?!\))", markup)  # the label itself


def test_captions_carry_the_same_numbers(prose: str, markup: str) -> None:
    for caption in ("Figure 1: Path length", "Figure 2: The same data", "Table 3: The machine."):
        assert caption in prose
        assert caption in markup.replace("~", " ").replace("#strong[", "").replace("]", "")
    assert "(so figures 1 and 2)" in prose  # [-@fig-pair] is the number alone


def test_sections_are_numbered_and_appendices_lettered(page: str, outline: list[str]) -> None:
    for number in ("1", "2", "2.1", "2.1.1", "A", "A.1"):
        assert f'<span class="header-section-number">{number}</span>' in page
    assert outline == ["1", "1", "2", "3", "1", "2", "1"]  # with References


def test_contents_link_to_sections_but_not_to_callout_titles(page: str) -> None:
    contents = page.partition('<nav id="contents"')[2].partition("</nav>")[0]
    assert 'href="#sec-machine"' in contents
    assert "No icon here" not in contents


def test_citations_are_resolved(prose: str, markup: str) -> None:
    for text in (prose, markup):
        assert "Hochreiter and Schmidhuber 1997, 3" in text
        assert "Attention Is All You Need" in text
    assert "@vaswani" not in prose


def test_includes_come_in_but_not_within_code(prose: str) -> None:
    assert "reads one symbol at a time" in prose
    assert "{{< include _nothing.qmd >}} stays as it is" in prose
    assert "$$ values $$" in prose


def test_conditional_content_goes_to_its_format(prose: str, markup: str) -> None:
    assert ("Only HTML readers" in prose, "Only PDF readers" in prose) == (True, False)
    assert ("Only HTML readers" in markup, "Only PDF readers" in markup) == (False, True)


def test_callouts(page: str, markup: str) -> None:
    assert re.search(r'<details class="callout callout-note"><summary>\s*How fair was it, &lt;b&gt;\?', page)
    assert re.search(r'<div class="callout callout-tip" role="note">', page)
    assert "callout-warning no-icon" in page
    assert re.search(r'#callout\("warning", icon: false, \[\s*No icon here', markup)


def test_verdicts_have_a_sign_besides_the_colour(page: str, markup: str) -> None:
    assert '<span class="verdict with-conditions">with conditions</span>' in page
    assert 'content: "◐"' in page
    assert '#verdict("with-conditions")[with conditions]' in markup
    assert '"with-conditions": (rgb("#a05a00"), "◐")' in markup


def test_markup_from_names_is_only_text(page: str, prose: str) -> None:
    assert "<script>alert" not in page
    assert "<script>alert(“x”)</script>, B<D> and “quotes” are only text." in prose
    assert "A comment is not" not in prose


def test_html_asks_nothing_of_the_network(page: str) -> None:
    assert not re.findall(r"<(?:link|script [^>]|iframe|object)\b", page)
    assert not re.search(r"""(?:src|srcset|poster)=["'](?!data:)""", page)
    assert not re.search(r"@import|url\((?!['\"]?(?:data:|#))", page)
    assert "default-src 'none'" in page
    assert page.count("<svg role=") == 3
    assert "<math" in page


def test_html_is_accessible(page: str) -> None:
    assert '<html lang="en">' in page
    for landmark in ("<main", "<nav", "<header", 'class="skip"'):
        assert landmark in page
    images = re.findall(r"<img [^>]*>", page)
    assert all(re.search(r'alt="[^"]+"', image) for image in images)
    assert 'aria-label="Path length rises &quot;linearly&quot; to 1,024."' in page


def test_pdf_is_tagged_titled_and_has_bookmarks(sample: Rendered) -> None:
    assert sample.pdf
    content = sample.pdf.read_bytes()
    assert content.startswith(b"%PDF-1.7")
    for mark in (b"/Outlines", b"/StructTreeRoot", b"pdfuaid:part"):
        assert mark in content


def words(pdf: Path) -> list[tuple[float, str]]:
    """Each word of a PDF with its right edge in points."""
    told = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], capture_output=True, text=True, check=True)
    return [(float(x), word) for x, word in re.findall(r'xMax="([\d.]+)"[^>]*>([^<]*)</word>', told.stdout)]


@pytest.mark.skipif(which("pdftotext") is None, reason="pdftotext (poppler) is not installed")
def test_long_tables_go_on_over_the_page_and_wide_ones_stay_within_it(
    sample: Rendered, tmp_path: Path
) -> None:
    assert sample.pdf
    assert [word for _, word in words(sample.pdf)].count("Parameters") >= 2  # the head is repeated
    cells = "|" + " a_long_identifier_without_a_place_to_break | 1,234.567 to 2,345.678 |" * 4
    table = "\n".join(["| A " * 8 + "|", "|---" * 8 + "|", cells, "", ": Wide. {#tbl-wide}"])
    project = write_project(tmp_path / "wide", f"---\ntitle: Wide\n---\n\n{table}\n")
    done = pandoc.render(project, formats=("pdf",))
    assert done.pdf
    a4_less_its_margin = 595.3 - 62
    assert max(x for x, _ in words(sample.pdf) + words(done.pdf)) < a4_less_its_margin


def test_texts_stand_as_they_are_in_html(page: str) -> None:
    figure = page[page.index('id="fig-wrote-1-passage"') :]
    text, long = (
        html.unescape(re.sub(r"<[^>]+>", "", block)).replace("\u2060", "").strip("\n")
        for block in re.findall(r"<pre[^>]*>(.*?)</pre>", figure, flags=re.DOTALL)
    )
    assert text == VERBATIM
    assert long.count("MKTAYIAKQR") + long.count("\n") >= 150 * 9
    assert "Figure\u00a03:" in figure[: figure.index("</figure>")]


@pytest.mark.skipif(which("pdftotext") is None, reason="pdftotext (poppler) is not installed")
def test_texts_go_on_over_the_page_and_no_line_leaves_it(sample: Rendered) -> None:
    assert sample.pdf
    found = words(sample.pdf)
    said = [word for _, word in found]
    assert [f"row{line}:" for line in range(150)] == [word for word in said if re.fullmatch(r"row\d+:", word)]
    assert "\ufffd" in said  # the letters that the PDF's fonts lack
    assert "♞" in said
    assert max(x for x, _ in found) < 595.3 - 62  # A4 less its margin


def test_same_input_gives_the_same_bytes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, second = (
        [path.read_bytes() for path in (done.html, done.pdf) if path]
        for done in (pandoc.render(project), pandoc.render(project))
    )
    assert len(first) == 2
    assert first == second


def test_one_format_alone(project: Path) -> None:
    done = pandoc.render(project, formats=("html",))
    assert done.pdf is None
    assert not (project / "_output" / "report.pdf").exists()


BROKEN = {
    "See @fig-nowhere and [@tbl-lost].": "@fig-nowhere refers to nothing; @tbl-lost refers to nothing",
    "As said [@nobody2020].": "not found: @nobody2020",
    "See [there](#not-here).": "#not-here leads nowhere",
    '![A.](figures/none.svg){#fig-none fig-alt="A line."}': "image figures/none.svg does not exist",
    "![A.](figures/curve.svg){#fig-mute}": "image figures/curve.svg has no fig-alt",
    '![A.](https://example.org/a.svg){#fig-far fig-alt="A line."}': "is not a file of the project",
    "$$x$$ {#eq-mute}": "equation eq-mute has no alt",
    "One {#sec-rules}\n===": "the label #sec-rules is used twice",
    "{{< include _gone.qmd >}}": "expected a text file _gone.qmd, included by report.qmd",
    "{{< include ../secret.qmd >}}": "expected includes inside the project folder",
    "{{< include report.qmd >}}": "report.qmd includes itself",
}


@pytest.mark.parametrize("text", BROKEN)
def test_broken_text_is_named_and_the_last_good_report_stays(project: Path, text: str) -> None:
    out = project / "_output"
    out.mkdir()
    (out / "report.html").write_text("the last good one")
    (project / "report.qmd").write_text(FRONT + "\n" + text + "\n")
    with pytest.raises(RenderError) as caught:
        pandoc.render(project)
    assert BROKEN[text] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 4
    assert (out / "report.html").read_text() == "the last good one"


def test_a_document_without_options_or_theme_renders(tmp_path: Path) -> None:
    (tmp_path / "_quarto.yml").write_text("project: {type: default}\n")
    (tmp_path / "report.qmd").write_text("---\ntitle: Plain\n---\n\n# One {#sec-one}\n\nSee @sec-one.\n")
    done = pandoc.render(tmp_path)
    assert done.html
    assert done.pdf
    assert ">Section\u00a0One<" not in done.html.read_text()
    assert ">One</a>" in done.html.read_text()


def test_yaml_that_cannot_be_read_is_an_error(project: Path) -> None:
    (project / "report.qmd").write_text("---\ntitle: [open\n---\n\nText.\n")
    with pytest.raises(RenderError, match="YAML"):
        pandoc.render(project)


def test_only_the_scripts_of_the_theme_may_run(page: str) -> None:
    policy = re.findall(r"script-src ([^\"]+)\"", page)
    scripts = re.findall(r"<script>(.*?)</script>", page.rpartition("</main>")[2], re.DOTALL)
    hashes = [base64.b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert scripts
    assert policy == [" ".join(f"'sha256-{each}'" for each in hashes)]
