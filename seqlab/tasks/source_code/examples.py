"""Which lines of the test files are shown as examples, and how are they shown beside a network's completions?

json/decoder.py
    given       raise JSONDecodeError
    the file    ("…", s, pos) ⏎
    LSTM        (self) ⏎
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32

from seqlab.tasks.source_code.coding import Coding, Encoded
from seqlab.tasks.source_code.library import Library
from seqlab.tasks.source_code.tokens import DEDENT, INDENT, NEWLINE, as_text, first_line

SHORTEST, LONGEST = 6, 16  # tokens of an example line, its end left out


def example_lines(library: Library, count: int, *, given: int, context: int) -> list[int]:
    """Positions after the first `given` tokens of `count` lines of the test files, evenly spread.

    The lines have `SHORTEST` to `LONGEST` tokens, and at least `context` tokens of their file before them.
    """
    files = library.test
    ends = np.flatnonzero(files.tokens == library.vocabulary.index(NEWLINE))
    layout = [library.vocabulary.index(token) for token in (INDENT, DEDENT)]
    first = ends[:-1] + 1
    length = ends[1:] - first
    since = first - files.starts[np.searchsorted(files.starts, first, side="right") - 1]
    suitable = (length >= SHORTEST) & (length <= LONGEST) & (since >= context)
    suitable &= ~np.isin(files.tokens[first], layout)
    found = first[suitable] + given
    return [int(at) for at in found[np.linspace(0, len(found) - 1, count + 2).astype(int)[1:-1]]]


def contexts(split: Encoded, places: Sequence[int], *, context: int) -> Int32[np.ndarray, "P C"]:
    """What a network reads to predict the token at each position: its own input after `context` others."""
    return np.stack([split.inputs[at - context : at + 1] for at in places])


def describe_completions(
    library: Library,
    coding: Coding,
    completed: Sequence[tuple[int, Int32[np.ndarray, "T"]]],
    *,
    given: int,
    model: str,
) -> str:
    """Lines as text: the `given` tokens, how the file goes on, and how the model does.

    `completed` has a position of the test files and the ids with which the model continues there, for each.
    """
    tokens = library.test.tokens
    examples = []
    for at, ids in completed:
        file = library.test.file_of(at)
        continued = coding.decode(ids.tolist(), library, tokens[library.test.starts[file] : at])
        lines = {
            "given": library.decode(tokens[at - given : at]),
            "the file": first_line(library.decode(tokens[at : at + LONGEST])),
            model: first_line(continued),
        }
        shown = (f"    {name:11} {as_text(line)}" for name, line in lines.items())
        examples.append("\n".join([library.test.names[file], *shown]))
    return "\n\n".join(examples)
