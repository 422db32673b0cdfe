"""Is every token scored once, with half a window of context?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.tasks.source_code.library import load
from seqlab.tasks.source_code.windows import repeated, windows
from tests.tasks.source_code.made import files


@pytest.fixture(scope="module")
def library():
    return load()


@given(st.lists(st.integers(1, 90), min_size=1, max_size=5), st.integers(2, 40))
def test_windows_score_every_token_once_with_half_a_window_before_it(sizes, length):
    made = files(*sizes)
    where = windows(made, length=length)
    assert sorted(where.at[where.scored].tolist()) == list(range(sum(sizes)))
    file = np.searchsorted(made.starts, where.at, side="right")
    for row, counts, of in zip(where.at, where.scored, file, strict=True):
        first = int(np.flatnonzero(counts)[0])
        assert len(set(of[: np.flatnonzero(counts)[-1] + 1].tolist())) == 1
        assert first >= length - length // 2 - 1 or row[0] in made.starts


def test_fewer_windows_are_spread_over_all_files(library):
    where = windows(library.test, length=64, scored=6_000)
    assert 5_000 < where.scored.sum() < 7_000
    assert len(set(np.searchsorted(library.test.starts, where.at[:, 0], side="right"))) > 20


def test_tokens_repeated_in_a_window():
    tokens = np.random.default_rng(0).integers(9, size=(5, 12)).astype(np.int32)
    expected = [[token in row[:i] for i, token in enumerate(row)] for row in tokens.tolist()]
    assert repeated(tokens).tolist() == expected
