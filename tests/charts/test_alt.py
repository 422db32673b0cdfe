"""Does alt text describe the chart, with no number that is not in its data?"""

import re

import numpy as np
import pandas as pd
import pytest

from seqlab.charts.alt import describe
from seqlab.charts.draw import FigureData
from seqlab.notebook.figures import Curve, Figure, Heatmap, Interval, Tradeoff
from seqlab.notebook.metrics import metric_named
from tests.charts import planted

PREFIXES = {"": 1.0, "s": 1.0, "ms": 1e-3, "nat": 1.0, "MB": 1e6, "thousand": 1e3}
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def numbers_in(text: str) -> list[float]:
    """Every number of a text, with its thousands separators and powers of ten."""
    plain = text.replace("−", "-").replace("×10", "e").translate(SUPERSCRIPTS).replace("95 % intervals", "")
    return [float(found.replace(",", "")) for found in re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", plain)]


def numbers_behind(figure: Figure, data: FigureData) -> list[float]:
    """Every number of a summary, in each unit that the tests' metrics may be shown in."""
    guides = list(getattr(figure, "guides", {}).values())
    plotted = [*data.summary.select_dtypes("number").to_numpy().ravel().tolist(), *guides]
    if isinstance(figure, Heatmap) and figure.columns:  # how many cells each map has, and may have
        cells = data.summary[figure.x].nunique() * data.summary[figure.y].nunique()
        plotted += [cells, *data.summary[figure.columns].value_counts()]
    return [value / size for value in plotted for size in PREFIXES.values() if np.isfinite(value)]


@pytest.mark.parametrize("kind", planted.KINDS)
def test_each_number_is_in_the_data(kind: str) -> None:
    figure, data = planted.KINDS[kind]()
    text = describe(figure, data.summary)
    behind, stated = np.array(numbers_behind(figure, data)), numbers_in(text)
    assert len(stated) >= 4
    for value in stated:
        nearest = np.min(np.abs(behind - value) / np.maximum(np.abs(behind), 1e-12))
        assert nearest <= 5.01e-3 or value == 0, (value, text)


def test_a_curve_is_described_line_by_line() -> None:
    figure, data = planted.curve(models=("LSTM", "GRU"))
    assert describe(figure, data.summary) == (
        "LSTM has the lowest time per training step at every length. "
        "Line chart of time per training step (ms) against length. "
        "LSTM rises from 64 at 64 to 256 at 256; GRU rises from 128 at 64 to 512 at 256."
    )


def test_a_notable_peak_is_mentioned_and_a_small_one_is_not() -> None:
    figure = Curve(caption="", x="step", y="loss", hue="model")

    def described(*values: float) -> str:
        centres = {("LSTM", 10 * i): value for i, value in enumerate(values)}
        return describe(figure, planted.tables(("model", "step"), centres)[0])

    assert described(4.0, 1.0, 3.0).endswith("falls from 4 at 0 to 3 at 20, with a low of 1 at 10.")
    assert described(4.0, 1.0, 1.1).endswith("falls from 4 at 0 to 1.1 at 20.")
    assert described(2.0, 5.0, 2.0).endswith("is 2 at 0 as at 20, with a high of 5 at 10.")
    assert described(2.0).endswith("LSTM is 2 at 0.")


def test_panels_are_described_by_the_order_in_which_their_lines_end() -> None:
    figure, data = planted.panels()
    text = describe(figure, data.summary)
    assert "one for each length." in text
    assert text.count("GRU 3.03, LSTM 2.03 and Transformer 1.03") == 3
    assert text.endswith("Dashed line: guessing at 4.1.")


def test_rows_are_ranked_with_their_intervals() -> None:
    figure, data = planted.interval()
    text = describe(figure, data.summary.iloc[::-1])
    assert text.startswith(
        "Transformer has the highest accuracy. "
        "Dot plot of accuracy by model, from highest to lowest, with 95 % intervals: "
        "Transformer 0.9 (0.882 to 0.918); LSTM 0.8 (0.784 to 0.816); GRU 0.7 (0.686 to 0.714)."
    )
    alone = planted.interval(seeds=1)[1].summary
    assert "intervals" not in describe(figure, alone)
    assert "(" not in describe(figure, alone)


def test_both_axes_of_a_scatter_plot_are_described() -> None:
    figure, data = planted.tradeoff()
    assert isinstance(figure, Tradeoff)
    assert describe(figure, data.summary) == (
        "GRU has the highest accuracy, Transformer the lowest time per training step. "
        "Scatter plot of accuracy against time per training step (ms), from highest to lowest: "
        "GRU 0.9 at 32; LSTM 0.8 at 8; Transformer 0.7 at 2."
    )


def test_a_roof_and_the_factor_that_joins_marks_are_described() -> None:
    figure, data = planted.roofline()
    text = describe(figure, data.summary)
    assert "Transformer, width 128: 128 at 16; " in text
    assert text.endswith(" A roof rises with time per training step, 10 s, up to compute rate, 200 FLOP/s.")
    assert "roof" not in describe(figure, data.summary.assign(roof_height=float("nan")))


def test_a_heat_map_is_described_by_its_extremes() -> None:
    figure, data = planted.heatmap()
    text = describe(figure, data.summary)
    assert "by length (across) and width (down)" in text
    assert "Lowest: 20.5 at length 64, width 32. Highest: 81.9 at length" in text


def test_small_heat_maps_are_described_by_how_many_cells_are_filled() -> None:
    text = describe(planted.maps()[0], planted.maps()[1].summary)
    assert text.startswith("Heat maps of influence of an input on an output by input (across) and output")
    assert "LSTM has 6 of 9 cells, from 0.01 to 1; Encoder has 9 of 9 cells, from 0.01 to 1." in text


def test_a_level_that_was_not_measured_is_omitted() -> None:
    figure = Interval(caption="", x="accuracy", y="model")
    summary = pd.DataFrame(
        {"model": ["LSTM", "GRU"], "estimate": [0.5, np.nan], "low": np.nan, "high": np.nan, "n": [1, 0]}
    )
    assert metric_named(figure.x).unit == ""
    assert describe(figure, summary) == "Dot plot of accuracy by model, from highest to lowest: LSTM 0.5."


def test_flat_lines_and_crossings_are_told() -> None:
    figure = Curve(caption="", x="length", y="accuracy", hue="model")
    values = {"LSTM": (0.50, 0.51, 0.52), "GRU": (0.2, 0.4, 0.8)}
    centres = {(m, n): v for m, line in values.items() for n, v in zip(planted.LENGTHS, line, strict=True)}
    text = describe(figure, planted.tables(("model", "length"), centres)[0])
    assert "LSTM stays near 0.51" in text
    assert "LSTM falls below GRU between 128 and 256." in text
