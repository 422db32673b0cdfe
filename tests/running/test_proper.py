"""Does a value that cannot be stored fail its trial alone, with the page, the line and the value named?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqlab.errors import DivergedError, UsageError
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.metrics import Measurement
from seqlab.running.proper import proper

PAGE = Path(__file__)


def yielding(made: Any) -> list[Any]:
    """What comes of what `made()` yields, in this file as the page."""

    def run() -> Iterator[Any]:
        yield Measurement("loss", 1.0, "train", 1)
        yield made()

    return list(proper(run(), PAGE))[1:]


@pytest.mark.parametrize(
    "made",
    [
        lambda: Measurement("loss", np.float32(0.5), "train", np.int64(3)),  # type: ignore[arg-type]
        lambda: Measurement("loss", np.array(0.5, np.float16), "train", 3.0),  # type: ignore[arg-type]
        lambda: Measurement("loss", np.float64(0.5), "train", np.uint8(3)),  # type: ignore[arg-type]
    ],
)
def test_numbers_of_numpy_are_numbers(made: Any) -> None:
    [found] = yielding(made)
    assert found == Measurement("loss", 0.5, "train", 3)
    assert type(found.step) is int
    assert isinstance(found.value, float)


def test_numbers_of_mlx_are_numbers() -> None:
    mx = pytest.importorskip("mlx.core")
    assert yielding(lambda: Measurement("loss", mx.array(0.5))) == [Measurement("loss", 0.5)]


def test_an_array_of_mlx_is_no_number() -> None:
    mx = pytest.importorskip("mlx.core")
    with pytest.raises(UsageError, match=r"makes a measurement of loss, .* found array\("):
        yielding(lambda: Measurement("loss", mx.ones(2)))


def test_what_can_be_stored_passes_as_it_is() -> None:
    one = Measurement("loss", 1.5, "valid", 2)
    assert yielding(lambda: one)[0] is one


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Measurement("loss", "x"), "makes a measurement of loss, .* found 'x'"),  # type: ignore[arg-type]
        (lambda: Measurement("loss", None), "found None"),  # type: ignore[arg-type]
        (lambda: Measurement("loss", 10**400), "a finite number; found 1000"),
        (lambda: Measurement("loss", 1.0, "", "x"), "step should be a whole number .* found 'x'"),  # type: ignore[arg-type]
        (lambda: Measurement("loss", 1.0, "", 1.5), r"found 1\.5"),  # type: ignore[arg-type]
        (lambda: Measurement("loss", 1.0, "", 2**70), "found 1180591620717411303424"),
        (lambda: Measurement("loss", 1.0, 3), "split should be a name .* found 3"),  # type: ignore[arg-type]
        (lambda: Measurement("loss", 1.0, None), "found None"),  # type: ignore[arg-type]
        (lambda: Measurement("loss", 1.0, "\ud800"), r"found '\\ud800'"),
        (lambda: Measurement("loss", 1.0, "s" * 1000), "a name of 1 to 200"),
        (lambda: Artifact("a", "text/html", b""), "media should be one of text/plain"),  # type: ignore[arg-type]
        (lambda: Artifact("a", "text/plain", "text"), "MiB of bytes; found 'text'"),  # type: ignore[arg-type]
        (lambda: 3, "yields something else, .* found 3"),
        (lambda: None, "found None"),
    ],
)
def test_any_other_value_is_one_line_that_names_page_line_and_value(made: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        yielding(made)
    assert "\n" not in str(refused.value)
    lines = PAGE.read_text().splitlines()
    line = int(str(refused.value).removeprefix("test_proper.py, line ").partition(",")[0])
    assert "yield made()" in lines[line - 1] or "lambda: Measurement(" in lines[line - 1]


def test_a_run_that_yields_nothing_at_all_is_told() -> None:
    nothing: Any = None
    with pytest.raises(UsageError, match=r"test_proper\.py: run\(\) must yield .* found None"):
        list(proper(nothing, PAGE))


def test_what_the_page_raises_is_raised() -> None:
    with pytest.raises(DivergedError):
        yielding(lambda: Measurement("loss", float("nan")))
    with pytest.raises(TypeError, match="not callable"):
        yielding(3)
