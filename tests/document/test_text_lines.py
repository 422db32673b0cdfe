"""Does a text come through line by line, whatever it holds, and fit the page?"""

from hypothesis import given
from hypothesis import strategies as st

from seqlab.document.text_lines import MISSING, WIDTH, fenced, lines_of, on_paper


@given(st.text(alphabet=st.characters(exclude_characters="\n\r\t")))
def test_the_pieces_of_a_line_give_that_line(text: str) -> None:
    lines = lines_of(text)
    assert all(len(line) <= WIDTH for line in lines)
    seen = "".join(letter if letter.isprintable() or letter == "\u00a0" else MISSING for letter in text)
    assert "".join(lines) == seen


@given(st.text(alphabet=" ab`~:{<%-\n\r\t", max_size=300))
def test_nothing_within_ends_the_block(text: str) -> None:
    first, *within, last = fenced(lines_of(text)).split("\n")
    assert first == last == "````"
    assert not any(line.lstrip().startswith(("```", "~~~")) for line in within)
    assert "{{<" not in "\n".join(within)
    lines = [line.replace("\u2060", "") for line in within]
    assert lines == lines_of(text)


def test_lines_end_where_they_ended() -> None:
    assert lines_of("one\r\ntwo\rthree\n\n\nsix\n") == ["one", "two", "three", "", "", "six"]
    assert lines_of("a\tb") == ["a       b"]
    assert lines_of("") == [""]


def test_what_no_format_shows_is_told_as_missing() -> None:
    assert lines_of("\x1b[31mred\x00 \u202e") == [f"{MISSING}[31mred{MISSING} {MISSING}"]
    assert on_paper("é ♞ → 漢 😀 □") == f"é ♞ → {MISSING} {MISSING} □"
