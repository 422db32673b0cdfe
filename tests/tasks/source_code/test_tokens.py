"""Is a file tokenised as expected, and does a line of tokens read back as it was?"""

import numpy as np
import pytest

from seqlab.errors import DataError
from seqlab.tasks.source_code.library import load
from seqlab.tasks.source_code.tokens import as_text, first_line, tokens_of

PROGRAM = b"""
for name in names:  # a comment

    print(f"{name}: {names[f'{name}']}", 1)
"""


@pytest.fixture(scope="module")
def library():
    return load()


def test_tokens_of_a_program():
    expected = "for name in names : <newline> <indent> print ( <string> , <number> ) <newline> <dedent>"
    assert tokens_of("a.py", PROGRAM) == expected.split()


def test_a_file_that_is_not_python_is_refused():
    with pytest.raises(DataError, match=r"reads in bad\.py, found an error.*Reinstall"):
        tokens_of("bad.py", b"x = (1,\n")


def test_lines_read_back_as_they_were(library):
    newline, layout = library.vocabulary.index("<newline>"), ("<indent>", "<dedent>")
    ends = np.flatnonzero(library.test.tokens == newline)
    for i in range(0, len(ends) - 1, 40):
        line = [library.vocabulary[token] for token in library.test.tokens[ends[i] + 1 : ends[i + 1] + 1]]
        line = [token for token in line if token not in layout]
        if line[-2:-1] == [":"]:  # a block of its own, to be whole
            whole = f"{as_text(line[:-1])} pass"
            assert tokens_of("line", whole.encode()) == [*line[:-1], "pass", "<newline>"]
        elif line[0] not in ("elif", "else", "except", "finally"):
            assert tokens_of("line", as_text(line[:-1]).encode()) == line


def test_a_line_ends_with_its_mark():
    assert first_line(["a", "<newline>", "b", "<newline>"]) == ["a", "<newline>"]
    assert first_line(["a", "b"]) == ["a", "b"]
