"""Does a chart's title say what its intervals bear out, and nothing more?"""

import math

import pandas as pd
import pytest

from seqlab.charts.finding import crossings, finding
from seqlab.notebook.figures import Curve, Interval, Tradeoff
from tests.charts import planted

LENGTHS = (64, 128, 256)
CURVE = Curve(caption="", x="length", y="accuracy", hue="model", split="test")


def lines(*, spread: float = 0.02, seeds: int = 5, **values: tuple[float, ...]) -> pd.DataFrame:
    """Lines over lengths, with intervals of `spread` of the value on each side."""
    centres = {(model, n): v for model, line in values.items() for n, v in zip(LENGTHS, line, strict=True)}
    return planted.tables(("model", "length"), centres, spread=spread, seeds=seeds)[0]


def test_a_line_that_is_best_throughout_is_so_at_every_length() -> None:
    table = lines(LSTM=(0.9, 0.8, 0.7), GRU=(0.5, 0.5, 0.5))
    assert finding(CURVE, table) == "LSTM has the highest accuracy at every length"


def test_a_line_that_is_best_at_last_is_so_there() -> None:
    table = lines(LSTM=(0.4, 0.8, 0.7), GRU=(0.5, 0.5, 0.5))
    assert finding(CURVE, table) == "LSTM has the highest accuracy at length 256"
    assert crossings(CURVE, table) == ["LSTM rises above GRU between 64 and 128"]


@pytest.mark.parametrize("spread", [0.3, math.nan])
def test_nothing_is_said_where_intervals_touch_or_are_missing(spread: float) -> None:
    table = lines(LSTM=(0.9, 0.8, 0.7), GRU=(0.8, 0.7, 0.6), spread=0.3)
    if math.isnan(spread):
        table = lines(LSTM=(0.9, 0.8, 0.7), GRU=(0.5, 0.5, 0.5), seeds=1)
    assert finding(CURVE, table) == ""


def test_what_is_neither_good_nor_bad_grows_or_stays_flat() -> None:
    figure = Curve(caption="", x="length", y="gradient_norm", hue="model")
    table = lines(RNN=(64.0, 128.0, 640.0), Transformer=(24.0, 24.0, 24.0))
    assert finding(figure, table) == "Transformer stays flat; RNN grows 10 times"


def test_panels_are_told_together_or_one_by_one() -> None:
    figure = Interval(caption="", x="mse", y="model", columns="series", split="test")
    values = {
        ("power", "LSTM"): 0.2,
        ("power", "TCN"): 0.4,
        ("traffic", "LSTM"): 0.3,
        ("traffic", "TCN"): 0.5,
    }
    table, _ = planted.tables(("series", "model"), values)
    assert finding(figure, table) == "LSTM has the lowest mean squared error, in both panels"
    values["traffic", "TCN"] = 0.1
    table, _ = planted.tables(("series", "model"), values)
    assert finding(figure, table) == "LSTM has the lowest mean squared error (power), TCN (traffic)"


def test_cost_and_quality_are_weighed() -> None:
    figure, data = planted.tradeoff()
    assert isinstance(figure, Tradeoff)
    assert finding(figure, data.summary) == (
        "GRU has the highest accuracy, Transformer the lowest time per training step"
    )


def test_the_truth_is_no_rival() -> None:
    figure = Interval(caption="", x="mse", y="model", split="test")
    table, _ = planted.tables(("model",), {("truth",): 0.0, ("LSTM",): 0.2, ("TCN",): 0.4})
    assert finding(figure, table) == "LSTM has the lowest mean squared error"


def test_a_training_ends_and_names_read_as_a_sentence() -> None:
    figure = Curve(caption="", x="step", y="loss", hue="model", split="valid")
    centres = {("plain net", 100): 2.0, ("LSTM, deep", 100): 3.0}
    assert (
        finding(figure, planted.tables(("model", "step"), centres)[0])
        == "Plain net ends with the lowest loss"
    )
    panels = Curve(caption="", x="step", y="loss", hue="model", columns="length", split="valid")
    several = {
        (n, m, 100): v
        for n, m, v in ((8, "mlx.nn", 1.0), (8, "a, b", 2.0), (16, "mlx.nn", 2.0), (16, "a, b", 1.0))
    }
    table, _ = planted.tables(("length", "model", "step"), several)
    assert finding(panels, table) == "mlx.nn ends with the lowest loss (length 8); a, b (length 16)"
