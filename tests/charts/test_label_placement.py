"""Are labels moved apart as little as possible, and kept on the page?"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.charts.label_placement import boxes_around, clearest, spread


def test_labels_with_room_stay() -> None:
    assert spread([1.0, 3.0], [0.5, 0.5], 0.0, 4.0) == pytest.approx([1.0, 3.0])


def test_two_labels_at_one_position_move_apart_evenly() -> None:
    assert spread([2.0, 2.0], [1.0, 1.0], 0.0, 4.0) == pytest.approx([1.5, 2.5])


def test_labels_at_the_edge_are_pushed_inwards() -> None:
    assert spread([4.0, 4.0, 0.0], [1.0, 1.0, 1.0], 0.0, 4.0) == pytest.approx([2.5, 3.5, 0.5])


@given(st.lists(st.floats(0, 10), max_size=9))
def test_no_labels_overlap_or_leave_the_page(centres: list[float]) -> None:
    placed = spread(centres, [1.0] * len(centres), 0.0, 10.0)
    ranked = sorted(placed)
    assert all(b - a >= 1 - 1e-9 for a, b in itertools.pairwise(ranked))
    assert all(0.5 - 1e-9 <= y <= 9.5 + 1e-9 for y in placed)
    assert [placed[i] for i in np.argsort(centres, kind="stable")] == ranked


def test_the_clearest_box_covers_nothing() -> None:
    boxes = boxes_around((0.0, 0.0), "LSTM", off=0.1)
    right_is_taken = np.array([(0.2, 0.0)])
    assert clearest(boxes, np.empty((0, 2))) == 0
    assert boxes[clearest(boxes, right_is_taken)][2] < 0
