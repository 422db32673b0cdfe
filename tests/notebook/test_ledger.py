"""Is the ledger whole, are its sources in the bibliography, and are mistakes in it told in a line?"""

import re
from pathlib import Path

import pytest

from seqlab.errors import UsageError
from seqlab.notebook.claims import Claim, Difference, Outcome
from seqlab.notebook.ledger import Entry, read

WORDS = Path(__file__).parents[2] / "report"
CITED = re.compile(r"(?<![\w.])@([a-z]+\d{4}[a-z]*)")

GOOD = """
[[claim]]
id = "C01"
line = 8
quote = "a … b"
kind = "mechanism"
expect = ["true", "false"]
why = "Because [@a2020b]."
sources = ["a2020b"]
designs = ["E1"]
"""


@pytest.fixture(scope="module")
def ledger() -> dict[str, Entry]:
    return read(WORDS / "claims.toml")


def bibliography() -> list[str]:
    return re.findall(r"^@\w+\{([^,]+),", (WORDS / "references.bib").read_text(), re.MULTILINE)


def test_the_ledger_has_all_claims_in_order(ledger: dict[str, Entry]) -> None:
    of_the_article = [name for name, entry in ledger.items() if entry.line is not None]
    assert of_the_article == [f"C{number:02}" for number in range(1, 45)]


def test_every_citation_is_a_source_and_every_source_is_in_the_bibliography(ledger: dict[str, Entry]) -> None:
    keys = set(bibliography())
    for entry in ledger.values():
        assert set(CITED.findall(entry.why)) == set(entry.sources), entry.id
        assert set(entry.sources) <= keys, entry.id


def test_the_bibliography_has_each_key_once() -> None:
    keys = bibliography()
    assert sorted(keys) == sorted(set(keys))


def test_what_templates_and_pages_cite_is_in_the_bibliography() -> None:
    texts = [*(WORDS / "templates").glob("*.qmd"), *(WORDS.parent / "experiments").glob("*.py")]
    cited = {key for path in texts for key in CITED.findall(path.read_text())}
    assert cited
    assert cited <= set(bibliography())


def test_quotes_are_short_and_reasons_are_sentences(ledger: dict[str, Entry]) -> None:
    for entry in ledger.values():
        assert 10 <= len(entry.quote) <= 90, entry.id
        assert entry.why.endswith("."), entry.id


@pytest.mark.parametrize(
    ("expect", "borne_out"),
    [
        (("true",), {Outcome.SUPPORTED}),
        (("true with conditions",), {Outcome.CONDITIONAL}),
        (("misleading",), {Outcome.CONDITIONAL, Outcome.NOT_SUPPORTED, Outcome.EQUIVALENT}),
        (("false",), {Outcome.NOT_SUPPORTED, Outcome.EQUIVALENT}),
        (("true", "false"), {Outcome.CONDITIONAL}),
    ],
)
def test_a_prediction_is_borne_out_by_its_outcomes_alone(
    expect: tuple[str, ...], borne_out: set[Outcome]
) -> None:
    entry = Entry(
        id="C01", line=1, quote="q", kinds=("mechanism",), expect=expect, why="w.", sources=(), designs=()
    )
    for outcome in set(Outcome) - {Outcome.INCONCLUSIVE, Outcome.NOT_TESTED}:
        assert entry.predicted_correctly(outcome) is (outcome in borne_out)
    assert entry.predicted_correctly(Outcome.INCONCLUSIVE) is None
    assert entry.predicted_correctly(Outcome.NOT_TESTED) is None


def test_a_good_entry_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(GOOD)
    entry = read(path)["C01"]
    assert (entry.line, entry.kinds, entry.prediction) == (8, ("mechanism",), "true and false")


def test_a_claim_of_ones_own_needs_no_line_source_or_design(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    kept = [row for row in GOOD.splitlines() if row.partition(" ")[0] not in ("line", "sources", "designs")]
    assert len(kept) == len(GOOD.splitlines()) - 3
    path.write_text("\n".join(kept))
    entry = read(path)["C01"]
    assert (entry.line, entry.sources, entry.designs) == (None, (), ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + GOOD, "C01 twice"),
        (GOOD.replace('why = "Because [@a2020b]."\n', ""), "lacks why"),
        (GOOD.replace('"mechanism"', '"mecanism"'), "Did you mean 'mechanism'"),
        (GOOD.replace('"false"', '"flase"'), "Did you mean 'false'"),
        (GOOD.replace("quote =", "qoute ="), "lacks quote"),
        (GOOD + 'wny = "x"\n', "unknown field 'wny'"),
        (GOOD.replace("line = 8", 'line = "8"'), "whole number"),
        ("[[claim]\n", "not TOML"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert "claims.toml" in str(caught.value)


def test_a_missing_ledger_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"claims\.toml"):
        read(tmp_path / "claims.toml")


def test_a_rule_is_predicted_to_have_a_decided_outcome() -> None:
    rule = Difference(metric="accuracy", left={"model": "A"}, right={"model": "B"}, above=0.0)
    assert Claim("C01", rule, "A is better.", predicted="not supported").predicted == "not supported"
    with pytest.raises(UsageError, match=r"must be one of supported, .* found 'inconclusive'"):
        Claim("C01", rule, "A is better.", predicted="inconclusive")
