"""Is any text kept line by line, within the page width?"""

import pytest
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


def test_what_reports_write_is_not_missing() -> None:
    assert missing_glyphs("1.5 × 10⁻⁴, 2.3 × 10¹², aⁿbⁿ, h₀, ℓ, ½, ⌈n/2⌉, ⟨q, k⟩, −0.5 … “so”") == []


def test_typst_has_a_glyph_for_whatever_is_not_missing() -> None:
    """PDF/UA refuses a document with a character that no font has."""
    import typst

    letters = [chr(number) for number in range(0x20, 0x2C00)]
    printed = [letter for letter in letters if letter.isprintable() and not missing_glyphs(letter)]
    assert len(printed) > 2_000
    body = " ".join(f"\\u{{{ord(letter):x}}}" for letter in printed)
    fonts = '#set text(font: "Libertinus Serif", lang: "en")'
    source = f'#set document(title: "Letters")\n{fonts}\n{body}\n\n#strong[{body}]\n\n#emph[{body}]'
    pdf = typst.compile(source.encode(), pdf_standards="ua-1", ignore_system_fonts=True)
    assert isinstance(pdf, bytes)
    with pytest.raises(typst.TypstError):
        typst.compile(f"{fonts}\n\\u{{6f22}}".encode(), pdf_standards="ua-1", ignore_system_fonts=True)
