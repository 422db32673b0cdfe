"""Does a slot stand for one name at a time, and do batches give nothing away?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import UsageError
from seqlab.tasks.source_code.coding import NEW, Coding
from seqlab.tasks.source_code.library import load
from tests.tasks.source_code.made import files


@pytest.fixture(scope="module")
def library():
    return load()


def test_slots_by_hand():
    """Tokens 0 and 1 are common; with two slots, token 4 takes that of 2, which was used longest ago."""
    coding = Coding(size=5, slots=2)
    encoded = coding.encode(files(8, 2, tokens=[0, 2, 3, 2, 3, 4, 2, 1, 3, 3]))
    assert encoded.targets.tolist() == [3, NEW, NEW, 1, 2, NEW, NEW, 4, NEW, 1]
    assert encoded.inputs.tolist() == [NEW, 3, 1, 2, 1, 2, 1, 2, NEW, 1]


@given(
    st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=40), min_size=1, max_size=3), st.integers(1, 5)
)
def test_a_slot_stands_for_the_token_that_last_had_it(texts, slots):
    coding = Coding(size=slots + 4, slots=slots)  # tokens 0, 1 and 2 are common
    tokens = [token for text in texts for token in text]
    encoded = coding.encode(files(*map(len, texts), tokens=tokens))
    at = 0
    for text in texts:
        holder: dict[int, int] = {}
        for i, token in enumerate(text):
            target = encoded.targets[at]
            if token < coding.common:
                assert target == token + slots + 1
            elif target != NEW:
                assert holder[target] == token
            else:
                assert token not in holder.values()
            if i + 1 < len(text):
                came_in = encoded.inputs[at + 1]
                assert (came_in > slots) == (token < coding.common)
                if came_in <= slots:
                    holder[came_in] = token
            at += 1


def test_decoding_undoes_encoding(library):
    coding = Coding(size=300, slots=20)
    begin, end = library.test.starts[:2]
    encoded = coding.encode(library.test)
    at = begin + (end - begin) // 2
    ids = encoded.targets[at : at + 8]
    assert (ids != NEW).all()
    true = [library.vocabulary[token] for token in library.test.tokens[at : at + 8]]
    decoded = coding.decode(ids.tolist(), library, library.test.tokens[begin:at])
    # A name that first appears within these tokens has its slot from then on only.
    assert decoded == true


def test_batches_stay_in_a_file_and_shuffle_the_slots():
    coding = Coding(size=9, slots=4)
    encoded = coding.encode(files(30, 7, 3, tokens=[0, 5, 6, 5, 1, 7, 6, 7, 2, 5] * 4))
    inputs, targets = next(coding.batches(encoded, np.random.default_rng(0), batch=200, length=6))
    plain = {encoded.inputs[i : i + 6].tobytes() for i in range(25)} | {encoded.inputs[30:36].tobytes()}
    plain |= {encoded.inputs[31:37].tobytes()}
    seen = set()
    for window, asked in zip(inputs, targets, strict=True):
        slots = sorted({int(i) for i in (*window, *asked) if NEW < i <= coding.slots})
        seen.add(tuple(slots))
        shapes = {tuple(pattern(np.frombuffer(other, np.int32), coding)) for other in plain}
        assert tuple(pattern(window, coding)) in shapes
    assert len(seen) > 3  # else the same few slots would hold all names


def pattern(window, coding):
    """A window with its slots renumbered by their first appearance."""
    order: dict[int, int] = {}
    return [-1 - order.setdefault(int(i), len(order)) if NEW < i <= coding.slots else int(i) for i in window]


@pytest.mark.parametrize("slots", [0, 9])
def test_a_vocabulary_without_room_is_refused(slots):
    with pytest.raises(UsageError, match="slots in a vocabulary of 10"):
        Coding(size=10, slots=slots)


def test_windows_longer_than_every_file_are_refused():
    coding = Coding(size=9, slots=4)
    with pytest.raises(UsageError, match="length of 1 to 5, found 6"):
        next(coding.batches(coding.encode(files(5, 3)), np.random.default_rng(0), batch=1, length=6))


def test_coverage_counts_common_tokens_slots_and_new_names():
    coding = Coding(size=10, slots=3)  # six common tokens
    text = coding.coverage(np.array([NEW, 1, 3, 4, 9, 9, 9, 9], np.int32))
    assert "Of the 8 test tokens that are scored, 62.5% are among the networks' 6 common" in text
    assert "25.0% are in a slot, and 12.5% are new" in text
