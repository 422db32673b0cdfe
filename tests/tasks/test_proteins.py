"""Are the chains split without leaks, and are batches, scores and baselines correct?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import DataError, UsageError
from seqlab.tasks import proteins
from seqlab.tasks.proteins import AMINO_ACIDS, CLASSES, PADDING, STATES, Chain


@pytest.fixture(scope="module")
def task():
    return proteins.load()


def chain(sequence: str, states: str, name: str = "made") -> Chain:
    return proteins.parsed(name, sequence, states)


def letters(one: Chain) -> str:
    return "".join(AMINO_ACIDS[place] for place in one.residues)


def test_the_split_is_the_published_one_without_the_chains_that_leak(task):
    assert [len(split) for split in (task.train, task.valid, task.test)] == [3_000 - 16, 300, 217]
    assert [sum(map(len, split)) for split in (task.train, task.valid, task.test)] == [
        420_976 - 1_999, 41_439, 45_036,
    ]  # fmt: skip


def test_no_chain_is_in_two_splits(task):
    """Nor a stretch of 40 residues: the tags that unrelated proteins share are shorter."""
    run, seen = 40, set()
    for split in (task.test, task.valid, task.train):
        texts = list(map(letters, split))
        assert not {text for text in texts if len(text) < run} & seen
        stretches = {text[i : i + run] for text in texts for i in range(len(text) - run + 1)}
        assert not stretches & seen
        seen |= stretches | set(texts)
    names = [one.name for split in (task.test, task.valid, task.train) for one in split]
    assert len(names) == len(set(names))


def test_a_chain_is_read_letter_by_letter(task):
    first = task.train[0]
    assert first.name == "3CT8_1_A"
    assert letters(first).startswith("MGSDKIHHHHHH")
    assert "".join(STATES[state] for state in first.states[14:31]) == "TTTTTSLLEEEEEESLH"
    assert "".join(CLASSES[kind][0] for kind in first.classes[14:31]) == "ccccccccsssssscch"


def test_eight_states_make_three_classes():
    kinds = chain("A" * 8, "HGIEBTSL").classes
    assert [CLASSES[kind] for kind in kinds] == ["helix"] * 3 + ["strand"] * 2 + ["coil"] * 3


@pytest.mark.parametrize(
    ("sequence", "states", "message"),
    [("AC", "H", "2 residues, found 1"), ("AX", "HH", "found 'X'"), ("AC", "H-", "found '-'")],
)
def test_a_malformed_chain_is_refused_by_name(sequence, states, message):
    with pytest.raises(DataError, match=f"chain 1ABC .*{message}"):
        chain(sequence, states, name="1ABC")


def test_batches_hold_pieces_of_chains_with_their_states(task):
    whole = {one.name: (letters(one), one.states) for one in task.train}
    pieces = 0
    batches = task.batches(np.random.default_rng(0), batch=8, length=64)
    for residues, states, real in (next(batches) for _ in range(4)):
        assert residues.shape == states.shape == real.shape == (8, 64)
        for row, kinds, seen in zip(residues, states, real, strict=True):
            assert (row[~seen] == PADDING).all()
            assert (np.diff(seen.astype(int)) <= 0).all()  # padding stands on the right
            text = "".join(AMINO_ACIDS[place] for place in row[seen])
            assert any(
                text in found and np.array_equal(labels[found.index(text) :][: len(text)], kinds[seen])
                for found, labels in whole.values()
            )
            pieces += len(text) == 64
    assert pieces > 20


def test_an_epoch_has_every_chain_once_and_little_padding(task):
    batches = task.batches(np.random.default_rng(3), batch=16, length=256)
    drawn = [next(batches) for _ in range(len(task.train) // 16)]
    sizes = np.concatenate([real.sum(axis=1) for _, _, real in drawn])
    assert len(sizes) == 16 * (2_984 // 16)
    lengths = np.bincount([len(one) for one in task.train], minlength=257)
    assert (np.bincount(sizes, minlength=257) <= lengths).all()
    assert sum(real.sum() for *_, real in drawn) > 0.8 * sum(real.size for *_, real in drawn)


def test_batches_repeat_with_the_generator(task):
    def first(seed):
        return next(task.batches(np.random.default_rng(seed), batch=4, length=64))[0]

    assert np.array_equal(first(1), first(1))
    assert not np.array_equal(first(1), first(2))


@pytest.mark.parametrize(
    ("batch", "length", "message"), [(0, 64, "1 to 2984"), (2_985, 64, "1 to 2984"), (4, 0, "length 0")]
)
def test_batches_that_cannot_be_are_refused(task, batch, length, message):
    with pytest.raises(UsageError, match=message):
        next(task.batches(np.random.default_rng(0), batch=batch, length=length))


@given(st.lists(st.integers(1, 90), max_size=30), st.integers(1, 300))
def test_buckets_hold_chains_of_similar_length(lengths, residues):
    chains = [chain("A" * length, "L" * length) for length in lengths]
    groups = list(proteins.length_buckets(chains, residues=residues))
    assert sorted(place for group in groups for place in group) == list(range(len(chains)))
    longest = [max(len(chains[place]) for place in group) for group in groups]
    assert longest == sorted(longest)
    for group, most in zip(groups, longest, strict=True):
        assert len(group) == 1 or len(group) * most <= residues


def test_scores_equal_those_counted_by_hand():
    chains = [chain("AAAA", "HGEL"), chain("A" * 70, "B" + "T" * 69)]

    def certain(states):
        return np.eye(8)[[STATES.index(state) for state in states]]

    score = proteins.evaluate(lambda _: [certain("HHEE"), certain("B" + "S" * 69)], chains)
    assert score.q8 == pytest.approx((2 + 1) / 74)
    assert score.q3 == pytest.approx((3 + 70) / 74)
    assert score.recall == pytest.approx({"helix": 1, "strand": 1, "coil": 69 / 70})
    assert score.q3_by_length == pytest.approx({32: 3 / 4, 64: 1})


def test_a_class_has_the_sum_of_its_states():
    """T is the most probable state, but a helix of any kind is more probable than a coil."""
    probabilities = np.array([[0.3, 0.2, 0.1, 0.0, 0.0, 0.4, 0.0, 0.0]])
    score = proteins.evaluate(lambda _: [probabilities], [chain("A", "G")])
    assert (score.q8, score.q3) == (0, 1)
    assert [CLASSES[kind] for kind in proteins.predicted_classes(probabilities)] == ["helix"]


def test_the_majority_baseline_is_the_published_figure(task):
    score = proteins.evaluate(proteins.majority(task), task.test)
    assert score.q3 == pytest.approx(0.429, abs=0.0005)
    assert score.q8 == pytest.approx(0.336, abs=0.0005)


@pytest.mark.slow
def test_logistic_regression_is_the_published_figure(task):
    score = proteins.evaluate(proteins.logistic_regression(task), task.test)
    assert score.q3 == pytest.approx(0.640, rel=0.01)
    assert score.q8 == pytest.approx(0.513, rel=0.01)


def test_logistic_regression_reads_its_window_and_no_further():
    """The state of a residue follows from the one eight places on; nine places on is outside the window."""
    rng = np.random.default_rng(0)

    def made(count):
        found = []
        for number in range(count):
            residues = rng.integers(0, 20, 120).astype(np.int32)
            states = np.where(np.roll(residues, -8) < 10, STATES.index("H"), STATES.index("E"))
            states[-8:] = STATES.index("L")
            found.append(Chain(str(number), residues, states.astype(np.int32)))
        return tuple(found)

    task = proteins.Proteins(train=made(40), valid=(), test=made(5))
    predict = proteins.logistic_regression(task)
    assert proteins.evaluate(predict, task.test).q8 > 0.99
    beyond = tuple(Chain(one.name, one.residues, np.roll(one.states, -1)) for one in task.train)
    further = proteins.logistic_regression(proteins.Proteins(train=beyond, valid=(), test=()))
    moved = [Chain(one.name, one.residues, np.roll(one.states, -1)) for one in task.test]
    assert proteins.evaluate(further, moved).q8 < 0.75
