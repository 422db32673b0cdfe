"""Does the worked example of docs/verdicts.md come out as it says?"""

import re
from pathlib import Path

import numpy as np
import pytest

from seqlab.analysis.certainty import estimate, p_value
from seqlab.analysis.looks import spent

TEXT = (Path(__file__).parents[1] / "docs" / "verdicts.md").read_text(encoding="utf-8").replace("−", "-")


def test_the_worked_example_is_what_the_code_computes() -> None:
    rows = np.array(
        re.findall(r"^\| \d \| (\d\.\d+) \| (\d\.\d+) \| (-\d\.\d+) \|$", TEXT, re.MULTILINE), float
    )
    assert len(rows) == 5
    one, two, told = rows.T
    assert two - one == pytest.approx(told, abs=1.1e-4)  # both are rounded
    found = estimate(told, alpha=spent(5), near=0.02)
    effect, low, high = map(
        float, re.search(r"effect (-\d\.\d+) \[(-\d\.\d+), (-\d\.\d+)\] bit, n = 5", TEXT).groups()
    )  # type: ignore[union-attr]
    assert (found.estimate, found.low, found.high) == pytest.approx((effect, low, high), abs=6e-4)
    printed = float(re.search(r"p = (\d\.\d+)\.", TEXT).group(1))  # type: ignore[union-attr]
    assert p_value(told, -0.02) == pytest.approx(printed, abs=5e-5)
