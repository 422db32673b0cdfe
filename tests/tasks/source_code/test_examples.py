"""Are examples lines of test files, and shown as they are beside what a model writes?"""

import numpy as np
import pytest

from seqlab.tasks.source_code.coding import Coding
from seqlab.tasks.source_code.examples import (
    LONGEST,
    SHORTEST,
    contexts,
    describe_completions,
    example_lines,
)
from seqlab.tasks.source_code.library import load
from seqlab.tasks.source_code.tokens import DEDENT, INDENT, NEWLINE, as_text, first_line


@pytest.fixture(scope="module")
def library():
    return load()


def test_examples_are_inside_lines_of_test_files(library):
    files, marks = library.test, {library.vocabulary.index(mark) for mark in (NEWLINE, INDENT, DEDENT)}
    places = example_lines(library, 4, given=2, context=16)
    assert len(places) == 4
    for at in places:
        given = files.tokens[at - 2 : at].tolist()
        assert int(files.tokens[at - 3]) in marks
        assert not marks & set(given)
        assert not (files.starts[:, None] == np.arange(at - 15, at + 1)).any()
        rest = files.tokens[at : at + LONGEST].tolist().index(library.vocabulary.index(NEWLINE))
        assert SHORTEST <= 2 + rest <= LONGEST


def test_a_right_completion_reads_as_the_file_does(library):
    coding = Coding(len(library.vocabulary) + 2, 1)  # every token is common
    encoded = coding.encode(library.test)
    places = example_lines(library, 2, given=2, context=16)
    right = [(at, encoded.targets[at : at + LONGEST]) for at in places]
    found = describe_completions(library, coding, right, given=2, model="oracle").split("\n\n")
    assert len(found) == 2
    for at, example in zip(places, found, strict=True):
        name, given, truth, written = example.split("\n")
        assert name == library.test.names[library.test.file_of(at)]
        assert given == f"    given       {as_text(library.decode(library.test.tokens[at - 2 : at]))}"
        line = as_text(first_line(library.decode(library.test.tokens[at : at + LONGEST])))
        assert truth == f"    the file    {line}"
        assert written == f"    oracle      {line}"


def test_a_context_ends_with_the_token_before_the_one_to_predict(library):
    encoded = Coding(64, 8).encode(library.test)
    (at,) = example_lines(library, 1, given=2, context=16)
    (read,) = contexts(encoded, [at], context=16)
    np.testing.assert_array_equal(read, encoded.inputs[at - 16 : at + 1])
    assert read[-1] == encoded.targets[at - 1] or encoded.targets[at - 1] == 0
