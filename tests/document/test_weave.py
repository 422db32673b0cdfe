"""Does the document contain the findings, parse without warnings, and leave no stale files?"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pypandoc
import pytest

from seqlab.analysis.moved import Move
from seqlab.document.claim_counts import count_claims
from seqlab.document.content import Image, Report
from seqlab.document.weave import weave
from seqlab.errors import RenderError, UsageError
from seqlab.store.database import StoredVerdict
from tests.document import reports

INCLUDE = re.compile(r"^\{\{< include (\S+) >\}\}$", re.MULTILINE)


def whole(document: Path) -> str:
    """The document with its includes put in."""
    return INCLUDE.sub(lambda found: (document.parent / found[1]).read_text(), document.read_text())


@cache
def parsed(text: str) -> Any:
    """The whole syntax tree; a warning of pandoc fails the test."""
    # Quarto reads the labels of display equations itself; plain pandoc knows them as spans.
    text = re.sub(r"(\$\$.+?\$\$) (\{#eq-[^}\n]*\})", r"[\1]\2", text, flags=re.DOTALL)
    done = subprocess.run(
        [pypandoc.get_pandoc_path(), "-f", "markdown", "-t", "json", "--fail-if-warnings"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every element of the tree."""
    if isinstance(node, dict):
        if "t" in node:
            yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def identifiers(tree: Any) -> list[str]:
    """All labels, those that stand in table captions for Quarto to read included."""
    found = [node["c"][1][0] for node in walk(tree) if node["t"] == "Header"]
    kinds = {"Div", "Span", "Figure", "Table", "Image"}
    found += [node["c"][0][0] for node in walk(tree) if node["t"] in kinds and node["c"][0][0]]
    return [label for label in found if label]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    return reports.sources(tmp_path / "sources")


@pytest.fixture(params=["empty", "rich"])
def document(request: pytest.FixtureRequest, tmp_path: Path, sources: Path) -> Path:
    folder = tmp_path / "out"
    report = reports.empty() if request.param == "empty" else reports.rich(folder)
    return weave(report, sources=sources, folder=folder)


def test_labels_are_unique_and_every_reference_has_a_target(document: Path) -> None:
    tree = parsed(whole(document))
    labels = identifiers(tree)
    assert sorted(labels) == sorted(set(labels))
    cited = {each["citationId"] for node in walk(tree) if node["t"] == "Cite" for each in node["c"][0]}
    keys = set(re.findall(r"^@\w+\{([^,]+),", (document.parent / "references.bib").read_text(), re.MULTILINE))
    assert cited <= keys | set(labels)
    links = [node["c"][2][0] for node in walk(tree) if node["t"] == "Link"]
    assert {link[1:] for link in links if link.startswith("#")} <= set(labels)


def test_the_document_meets_the_rules_of_accessible_pdf(document: Path) -> None:
    tree = parsed(whole(document))
    for node in walk(tree):
        if node["t"] == "Image":
            assert dict(node["c"][0][2])["fig-alt"]
        if node["t"] == "Math":
            assert node["c"][0]["t"] == "DisplayMath"
    equations = [node for node in walk(tree) if node["t"] == "Span" and node["c"][0][0].startswith("eq-")]
    assert equations
    assert all(dict(node["c"][0][2])["alt"] for node in equations)


def test_no_string_becomes_markup(tmp_path: Path, sources: Path) -> None:
    tree = parsed(whole(weave(reports.rich(tmp_path / "out"), sources=sources, folder=tmp_path / "out")))
    assert not [node for node in walk(tree) if node["t"] in ("RawInline", "RawBlock")]
    cited = {each["citationId"] for node in walk(tree) if node["t"] == "Cite" for each in node["c"][0]}
    assert "fig-x" not in cited
    found = {node["c"] for node in walk(tree) if node["t"] == "Str"}
    assert {"a|b", "<script>", "*x*", "@fig-x", "$5", "\\", "{{<"} <= found


def test_tables_fit_a_page(document: Path) -> None:
    tables = [node for node in walk(parsed(whole(document))) if node["t"] == "Table"]
    for table in tables:
        assert len(table["c"][2]) <= 6
    widths = re.findall(r'tbl-colwidths="\[([\d,]+)\]"', whole(document))
    assert all(sum(map(int, row.split(","))) <= 100 for row in widths)


def test_a_table_without_rows_is_told_and_not_drawn(tmp_path: Path, sources: Path) -> None:
    text = whole(weave(reports.rich(tmp_path / "out"), sources=sources, folder=tmp_path / "out"))
    assert "Nothing was measured for this table: Sizes." in text
    assert "tbl-rnn-1" in text
    assert "tbl-rnn-2" not in text


def test_a_figure_without_anything_is_told_and_not_drawn_unless_a_text_refers_to_it(
    tmp_path: Path, sources: Path
) -> None:
    report = reports.rich(tmp_path / "out")
    first, *others = report.chapters
    empty = Image(
        tmp_path / "out" / "figures" / "two.svg", "Not yet.", "Nothing was measured for this figure."
    )
    chapter = replace(first, figures=(*first.figures, empty))
    text = whole(
        weave(replace(report, chapters=(chapter, *others)), sources=sources, folder=tmp_path / "out")
    )
    assert "Nothing was measured for this figure: None." in text
    assert "Nothing was measured for this figure: Not yet." in text
    assert "fig-rnn-3-passage" in text
    assert "fig-rnn-4-passage" not in text
    assert "fig-rnn-5" not in text  # attached files have no number

    referring = replace(chapter, prose="See @fig-rnn-5.")
    text = whole(
        weave(replace(report, chapters=(referring, *others)), sources=sources, folder=tmp_path / "out")
    )
    assert "{#fig-rnn-5" in text
    assert "this figure: Not yet." not in text

    referring = replace(first, prose="See @fig-rnn-4-passage.")
    text = whole(
        weave(replace(report, chapters=(referring, *others)), sources=sources, folder=tmp_path / "out")
    )
    divs = [node["c"] for node in walk(parsed(text)) if node["t"] == "Div"]
    nothing = next(content for (label, *_), content in divs if label == "fig-rnn-4-passage")
    assert [block["t"] for block in nothing] == ["Para", "Para"]


def section_of(document: Path, claim: str) -> str:
    """What stands in the one section of a claim."""
    return document.read_text().split(f"\n### {claim}: ")[1].split("\n### ")[0]


def test_each_claim_has_one_section_with_all_that_its_rules_said(tmp_path: Path, sources: Path) -> None:
    report = reports.rich(tmp_path / "out")
    first, *others = report.chapters
    again = replace(others[0], verdicts=(replace(first.verdicts[2], experiment="r_x"),))
    document = weave(
        replace(report, chapters=(first, again, *others[1:])), sources=sources, folder=tmp_path / "out"
    )
    section = section_of(document, "C17")
    assert section.count("the reason for C17.") == 2
    assert "(#sec-rnn)" in section
    assert "(#sec-r-x)" in section
    assert "[not supported]{.verdict .not-supported} Transformer\\: 0.34 times the time" in section


def test_the_front_page_counts_what_was_found(tmp_path: Path, sources: Path) -> None:
    front = weave(reports.rich(tmp_path / "out"), sources=sources, folder=tmp_path / "out").read_text()
    for outcome, count in (
        ("supported", 1),
        ("with-conditions", 1),
        ("not-supported", 1),
        ("not-tested", 39),
    ):
        assert f".verdict .{outcome}}} [{count}]{{.count}}" in front
    assert "40 trials on" in front
    assert "Of the 4 claims with a decision so far, 2 came out as predicted" in front
    assert front.count("{.tile .") == len(reports.LEDGER)


def test_the_ledger_has_a_row_for_every_claim_in_the_articles_order(tmp_path: Path, sources: Path) -> None:
    front = weave(reports.rich(tmp_path / "out"), sources=sources, folder=tmp_path / "out").read_text()
    rows = re.findall(r"^\| \[\*\*(C\d+)\*\*.*$", front, re.MULTILINE)
    lines = [reports.LEDGER[claim].line or 0 for claim in rows]
    assert len(set(rows)) == len(reports.LEDGER)
    assert lines == sorted(lines)
    row = next(line for line in front.splitlines() if line.startswith("| [**C17**"))
    assert "{.verdict .not-supported}" in row
    assert '.drawing src="figures/two.svg"' in row
    assert "n \\= 5, here" in row


def test_the_annotated_article_has_every_claim_of_the_article(tmp_path: Path, sources: Path) -> None:
    front = weave(reports.rich(tmp_path / "out"), sources=sources, folder=tmp_path / "out").read_text()
    article = front.split("{#sec-article}")[1].split("\n# ")[0]
    marked = re.findall(r"\(#sec-(c\d+)\)\{\.quoted", article)
    assert sorted(marked) == sorted(claim.lower() for claim in reports.LEDGER)
    assert marked.index("c34") < marked.index("c06") < marked.index("c43")


def test_the_outline_has_every_claim_and_every_page_once() -> None:
    outline = reports.empty().outline
    claims = [claim for part in outline.parts for claim in part.claims]
    pages = [page for part in outline.parts for page in part.chapters]
    assert sorted(claims) == sorted(reports.LEDGER)
    experiments = (reports.SOURCES.parent / "experiments").glob("[!_]*.py")
    assert sorted(pages) == sorted(path.stem for path in experiments)


def test_a_report_without_results_says_what_to_run(tmp_path: Path, sources: Path) -> None:
    text = whole(weave(reports.empty(), sources=sources, folder=tmp_path / "out"))
    assert "Nothing has been measured yet" in text
    assert "`nox -s report`" in text
    assert "A trial run, not evidence" not in text
    assert text.count("{.tile .not-tested ") == len(reports.LEDGER)


def test_figures_say_n_and_how_to_run_them_again(tmp_path: Path, sources: Path) -> None:
    folder = tmp_path / "out"
    weave(reports.rich(folder), sources=sources, folder=folder)
    text = (folder / "_chapter-rnn.qmd").read_text()
    line = next(line for line in text.splitlines() if "#fig-rnn-1 " in line)
    assert "Accuracy against length. (5 seeds) [experiments/rnn.py]" in line
    assert "[experiments/rnn.py](../experiments/rnn.py)" in line
    assert "`nox -s rnn -- --seeds 5`" in line


def test_texts_are_verbatim_in_the_chapter(tmp_path: Path, sources: Path) -> None:
    weave(reports.rich(tmp_path / "out"), sources=sources, folder=tmp_path / "out")
    tree = parsed((tmp_path / "out" / "_chapter-rnn.qmd").read_text())
    divs = [node["c"] for node in walk(tree) if node["t"] == "Div"]
    texts = next(content for (label, *_), content in divs if label == "fig-rnn-3-passage")
    blocks = [node["c"][1] for node in walk(texts) if node["t"] == "CodeBlock"]
    text, empty = (block.replace("\u2060", "") for block in blocks)
    assert text == reports.VERBATIM.expandtabs(8)
    assert empty == ""
    assert texts[-1]["t"] == "Para"  # the caption


def test_attachments_are_linked_beside_the_report(tmp_path: Path, sources: Path) -> None:
    weave(reports.rich(tmp_path / "out"), sources=sources, folder=tmp_path / "out")
    text = (tmp_path / "out" / "_chapter-rnn.qmd").read_text()
    line = next(line for line in text.splitlines() if "rnn-song.mid" in line)
    assert "(rnn-song.mid), 2.3 kB, beside this report; made by LSTM a\\|b" in line
    assert text.index("Songs. [experiments/rnn.py](../experiments/rnn.py)") < text.index(line)


def test_a_chapter_says_that_its_trials_shared_the_machine(tmp_path: Path, sources: Path) -> None:
    report = reports.rich(tmp_path / "out")
    first, *others = report.chapters

    def written(parallel_trials: int) -> str:
        chapters = (replace(first, parallel_trials=parallel_trials), *others)
        weave(replace(report, chapters=chapters), sources=sources, folder=tmp_path / "out")
        return (tmp_path / "out" / "_chapter-rnn.qmd").read_text()

    assert "Up to 2 trials ran at the same time" in written(2)
    assert "at the same time" not in written(1)


def test_failures_and_changed_rules_are_listed(tmp_path: Path, sources: Path) -> None:
    text = whole(weave(reports.rich(tmp_path / "out"), sources=sources, folder=tmp_path / "out"))
    assert "**vit:** SyntaxError" in text
    assert "| diverged |" in text
    assert "rule `0123` became `4567` on 1 February 2026" in text
    assert "fixed before its runs (on 15 January 2026)" in text.replace("\\", "")


def test_what_moved_is_told_with_its_cause(tmp_path: Path, sources: Path) -> None:
    report = reports.rich(tmp_path)
    assert "What moved" not in whole(weave(report, sources=sources, folder=tmp_path))
    page, claim = report.chapters[0].name, report.chapters[0].verdicts[0].claim
    before = StoredVerdict(
        claim, page, "quick", "rule", "supported", 0.5, 0.4, 0.6, 5, "2026-11-29T10:00:00+00:00", "own"
    )
    after = replace(before, outcome="inconclusive", effect=0.2, low=0.1, high=0.7, n=10)
    move = Move("verdict", before, after, ("5 seeds before, 10 now",))
    text = whole(weave(replace(report, moves=(move,)), sources=sources, folder=tmp_path))
    row = next(line for line in text.splitlines() if "5 seeds before" in line)
    assert re.search(r"supported, 0.5.*inconclusive, 0.2", row.replace("\\", ""))


def test_a_rule_that_was_written_after_its_runs_is_told(tmp_path: Path, sources: Path) -> None:
    report = reports.rich(tmp_path / "out")
    late = replace(report, rules_late=frozenset(report.rules_fixed))
    text = whole(weave(late, sources=sources, folder=tmp_path / "out"))
    assert "written after its first runs (on 15 January 2026)" in text.replace("\\", "")


def test_stale_files_are_removed_and_foreign_files_stay(tmp_path: Path, sources: Path) -> None:
    folder = tmp_path / "out"
    weave(reports.rich(folder), sources=sources, folder=folder)
    (folder / "notes.txt").write_text("mine")
    report = reports.rich(folder)
    kept = replace(report.chapters[0], figures=report.chapters[0].figures[:1])
    weave(replace(report, chapters=(kept,)), sources=sources, folder=folder)
    assert sorted(path.name for path in folder.glob("*.qmd")) == ["_chapter-rnn.qmd", "report.qmd"]
    assert {path.name for path in (folder / "figures").iterdir()} == {"one.svg", "two.svg"}  # of the strips
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "theme" / "looks.css").is_file()
    assert not list(folder.glob("*.part"))


def test_a_figure_from_elsewhere_is_copied(tmp_path: Path, sources: Path) -> None:
    (tmp_path / "far.svg").write_text("<svg/>")
    chapter = replace(reports.chapter(tmp_path / "out"), figures=(Image(tmp_path / "far.svg", "Far.", "A."),))
    report = replace(reports.empty(), chapters=(chapter,))
    weave(report, sources=sources, folder=tmp_path / "out")
    assert (tmp_path / "out" / "figures" / "far.svg").read_text() == "<svg/>"


def broken_reports(folder: Path) -> list[tuple[Report, type[Exception], str]]:
    report = reports.rich(folder)
    chapter = report.chapters[0]
    missing = replace(chapter, figures=(Image(Path("figures/none.svg"), "c", "a"),))
    strange = replace(chapter, verdicts=(replace(chapter.verdicts[0], claim="C99"),))
    return [
        (replace(report, chapters=(missing,)), RenderError, "none.svg"),
        (replace(report, chapters=(strange,)), UsageError, "unknown claim 'C99'"),
    ]


@pytest.mark.parametrize("case", [0, 1])
def test_an_error_leaves_the_old_report_unchanged(tmp_path: Path, sources: Path, case: int) -> None:
    folder = tmp_path / "out"
    before = weave(reports.rich(folder), sources=sources, folder=folder).read_text()
    report, error, message = broken_reports(folder)[case]
    with pytest.raises(error, match=message):
        weave(report, sources=sources, folder=folder)
    assert (folder / "report.qmd").read_text() == before


def test_an_error_in_a_template_names_it(tmp_path: Path, sources: Path) -> None:
    (sources / "templates" / "methods.qmd").write_text("<< no_such_thing >>\n")
    with pytest.raises(RenderError, match="no_such_thing"):
        weave(reports.empty(), sources=sources, folder=tmp_path / "out")
    (sources / "templates" / "methods.qmd").write_text("<% if %>\n")
    with pytest.raises(RenderError, match=r"methods\.qmd, line 1"):
        weave(reports.empty(), sources=sources, folder=tmp_path / "out")


# Percentages and the numbers of seeds at looks are fixed by the methods, and 0.05 is the level that Holm's
# adjusted p-values must stay below for a cell to be decided; everything measured must come from a variable.
SHARES = {"95 %", "80 %", "15 %", "5 %", "2 %", "1.5 %", "1.8 %", "0.85 %", "0.05"}
LOOKS = {"5", "10", "20", "40"}
POLICY = {"methods.qmd": SHARES | LOOKS, "article.qmd": {"3", "5"}}  # GPT-3 and T5 are names


@pytest.mark.parametrize(
    "path", sorted((reports.SOURCES / "templates").glob("*.qmd")), ids=lambda path: path.name
)
def test_no_template_contains_a_measured_number(path: Path) -> None:
    text = path.read_text()
    for code in (r"<#.*?#>", r"<<.*?>>", r"<%.*?%>", r"\$\$.*?\$\$", r"\{#.*?\}", r"@[a-z]+\d{4}\w*"):
        text = re.sub(code, " ", text, flags=re.DOTALL)
    numbers = {found[0].strip() for found in re.finditer(r"[\d.,]*\d(\s%)?", text)}
    assert numbers <= POLICY.get(path.name, set())


def test_every_claim_is_counted_once(tmp_path: Path) -> None:
    counted = count_claims(reports.rich(tmp_path))
    assert sum(counted.by_outcome.values()) == counted.claims == len(reports.LEDGER)
    assert (counted.tested, len(counted.predictions), counted.correct) == (5, 4, 2)
    assert counted.of_rules == (True,)
