"""Is any text kept line by line, within the page width?"""

from hypothesis import given
from hypothesis import strategies as st

from seqlab.document.text_lines import MISSING, WIDTH, code_block, missing_glyphs, wrapped_lines


@given(st.text(alphabet=st.characters(exclude_characters="\n\r\t")))
def test_the_pieces_of_a_line_join_to_that_line(text: str) -> None:
    lines = wrapped_lines(text)
    assert all(len(line) <= WIDTH for line in lines)
    seen = "".join(letter if letter.isprintable() or letter == "\u00a0" else MISSING for letter in text)
    assert "".join(lines) == seen


@given(st.text(alphabet=" ab`~:{<%-\n\r\t", max_size=300))
def test_no_line_ends_the_code_block(text: str) -> None:
    first, *within, last = code_block(wrapped_lines(text)).split("\n")
    assert first == last == "````"
    assert not any(line.lstrip().startswith(("```", "~~~")) for line in within)
    assert "{{<" not in "\n".join(within)
    lines = [line.replace("\u2060", "") for line in within]
    assert lines == wrapped_lines(text)


def test_line_breaks_are_kept() -> None:
    assert wrapped_lines("one\r\ntwo\rthree\n\n\nsix\n") == ["one", "two", "three", "", "", "six"]
    assert wrapped_lines("a\tb") == ["a       b"]
    assert wrapped_lines("") == [""]


def test_unprintable_characters_are_marked_as_missing() -> None:
    assert wrapped_lines("\x1b[31mred\x00 \u202e") == [f"{MISSING}[31mred{MISSING} {MISSING}"]
    assert missing_glyphs("é ♞ → 漢 😀 □", "漢\n\t") == ["漢", "😀"]
