"""Are columns of text left-aligned and columns of numbers right-aligned?"""

from seqlab.document.content import TableData


def test_text_is_left_aligned_and_numbers_are_right_aligned() -> None:
    head, row = ("length", "model", "time"), (("64", "LSTM", "1 ms"),)
    assert TableData("", head, row).align == "lrr"
    assert TableData("", head, row, text_columns=frozenset({0, 1})).align == "llr"
