"""Is every kind of chart a well-formed SVG with a group for each series, and reproducible?"""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from seqlab.charts.draw import FigureData, Need, describe_n, draw, gather, needs, plot
from seqlab.charts.label_placement import text_width
from seqlab.charts.style import theme
from seqlab.notebook.figures import Curve, Figure, Interval, Table
from tests.charts import planted

SERIES = {
    "curve": 3,
    "panels": 9,
    "interval": 3,
    "lanes": 3,
    "tradeoff": 3,
    "roofline": 6,
    "heatmap": 0,
    "maps": 0,
}


def ids(path: Path) -> list[str]:
    """The name of every part of an SVG; fails where it is not well-formed."""
    return [element.get("data-part", "") for element in ET.parse(path).iter()]


def texts(figure: Figure, data: FigureData) -> dict[str, str]:
    """The texts of a chart, by their group ids."""
    with theme():
        return {str(text.get_gid()): text.get_text() for text in plot(figure, data).texts}


@pytest.mark.parametrize("kind", planted.KINDS)
def test_each_kind_is_a_well_formed_svg_with_a_group_for_each_series(kind: str, tmp_path: Path) -> None:
    figure, data = planted.KINDS[kind]()
    draw(figure, data, tmp_path / "figures" / "chart.svg")
    found = ids(tmp_path / "figures" / "chart.svg")
    assert sum(name.startswith("series-") for name in found) == SERIES[kind]
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["chart.svg"]


@pytest.mark.parametrize("kind", planted.KINDS)
def test_equal_data_give_equal_bytes_and_alt_text(kind: str, tmp_path: Path) -> None:
    figure, data = planted.KINDS[kind]()
    alt = [draw(figure, data, tmp_path / name) for name in ("a.svg", "b.svg")]
    assert alt[0] == alt[1]
    first, second = ((tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second
    assert b" id=" not in first  # many drawings stand in one page
    assert b"<text" in first


@pytest.mark.parametrize("kind", planted.KINDS)
def test_the_background_is_transparent_for_the_dark_mode(kind: str) -> None:
    with theme():
        canvas = plot(*planted.KINDS[kind]())
    assert [patch.get_facecolor()[3] for patch in (canvas.patch, *(axes.patch for axes in canvas.axes))] == [
        0.0 for _ in range(len(canvas.axes) + 1)
    ]


@pytest.mark.parametrize(
    ("kind", "x_title", "measure", "note"),
    [
        ("curve", "Length", None, "Time per training step (ms), lower is better"),
        ("panels", "Training step", None, "Loss (nat), lower is better"),
        ("interval", None, None, "Accuracy, higher is better"),
        ("tradeoff", "Time per training step (ms), lower is better", None, "Accuracy, higher is better"),
        ("heatmap", "Length", "Peak memory of a training step (MB)", "Lower is better"),
        ("maps", "Input", "Influence of an input on an output", None),
    ],
)
def test_axes_are_named_from_the_catalogue_with_a_display_unit(
    kind: str, x_title: str | None, measure: str | None, note: str | None
) -> None:
    found = texts(*planted.KINDS[kind]())
    assert (found.get("x-title"), found.get("note")) == (x_title, note)
    assert measure in (None, found["head-0"])  # else the title is what was found


def test_points_are_drawn_in_the_display_unit() -> None:
    with theme():
        canvas = plot(*planted.curve(models=("LSTM",)))
    (line,) = (line for line in canvas.axes[0].lines if line.get_gid() == "series-0-0")
    assert list(line.get_xdata()) == [64, 128, 256]  # type: ignore[arg-type]
    assert list(line.get_ydata()) == pytest.approx([64.0, 128.0, 256.0])  # type: ignore[arg-type]


def test_lines_are_named_at_their_ends_and_no_two_names_overlap() -> None:
    models = ("RNN", "LSTM", "GRU", "minGRU", "Transformer", "CNN")
    figure = Curve(caption="", x="length", y="accuracy", hue="model", guides={"guessing": 0.1})
    centres = {(m, n): 0.9 + i / 1e4 for i, m in enumerate(models) for n in planted.LENGTHS}
    with theme():
        canvas = plot(figure, planted.data(planted.tables(("model", "length"), centres), figure=figure))
    named = {t.get_text(): t.get_position()[1] for t in canvas.texts if str(t.get_gid()).startswith("label-")}
    assert set(named) == {*models, "guessing"}
    heights = np.sort(list(named.values()))
    assert np.diff(heights).min() > 0.11  # inches; a line of 8.5 points is 0.12 high
    assert sorted(models, key=named.__getitem__) == list(models)


def test_a_legend_names_lines_that_the_last_panel_lacks() -> None:
    figure, data = planted.panels()
    gone = data.summary[~((data.summary["length"] == 256) & (data.summary["model"] == "LSTM"))]
    found = texts(figure, FigureData(gone, data.samples))
    assert [text for gid, text in found.items() if gid.startswith("legend-")] == list(planted.MODELS)
    assert not any(gid.startswith("legend-") for gid in texts(figure, data))
    assert [found[f"title-{i}"] for i in range(3)] == ["length 64", "length 128", "length 256"]


def test_the_mean_of_each_row_is_written_beside_it() -> None:
    found = texts(*planted.interval())
    assert [found[f"mean-{i}"] for i in range(3)] == ["0.900", "0.800", "0.700"]
    assert [found["guide-0"], found["guide-1"]] == ["guessing", "a baseline"]


def test_the_best_row_is_on_top() -> None:
    for metric, expected in (("accuracy", ["0.800", "0.700"]), ("loss", ["0.700", "0.800"])):
        figure = Interval(caption="", x=metric, y="model")
        table = planted.tables(("model",), {("GRU",): 0.7, ("LSTM",): 0.8})
        with theme():
            canvas = plot(figure, planted.data(table, figure=figure))
        means = [text for text in canvas.texts if str(text.get_gid()).startswith("mean-")]
        means.sort(key=lambda text: -text.get_position()[1])
        assert [text.get_text() for text in means] == expected


def test_a_heat_map_writes_each_mean_and_leaves_the_unmeasured_cell_empty() -> None:
    with theme():
        canvas = plot(*planted.heatmap())
    written = {text.get_text() for text in canvas.axes[0].texts}
    assert written == {"20.5", "41.0", "81.9"}
    assert len(canvas.axes[0].texts) == 5


def test_small_heat_maps_have_colours_only_and_leave_unmeasured_cells_empty() -> None:
    figure, data = planted.maps()
    with theme():
        canvas = plot(figure, data)
        panels = [axes for axes in canvas.axes if str(axes.get_gid()).startswith("panel-")]
        boxes = [axes.get_position().size * canvas.get_size_inches() for axes in panels]
    shaded = [np.ma.getmaskarray(panel.collections[0].get_array()) for panel in panels]
    # From the top: the third output depends on all three inputs, the first output on one.
    assert shaded[0].reshape(3, 3).tolist() == [[False] * 3, [False, False, True], [False, True, True]]
    assert not shaded[1].any()
    assert not any(panel.texts for panel in panels)
    for width, height in boxes:
        assert width == pytest.approx(height)
    found = texts(figure, data)
    assert (found["title-0"], found["title-1"]) == ("LSTM", "Encoder")
    assert (found["ramp-low"], found["ramp-high"]) == ("0.01", "1")


@pytest.mark.parametrize("kind", ["curve", "interval"])
def test_one_seed_has_neither_interval_nor_seed_dots(kind: str, tmp_path: Path) -> None:
    draw(*getattr(planted, kind)(seeds=1), tmp_path / "chart.svg")
    assert not {"band", "interval", "seeds"} & set(ids(tmp_path / "chart.svg"))
    draw(*getattr(planted, kind)(), tmp_path / "chart.svg")
    assert {"seeds", "band" if kind == "curve" else "interval"} <= set(ids(tmp_path / "chart.svg"))


def test_lines_of_a_single_point_become_rows_of_marks(tmp_path: Path) -> None:
    figure, data = planted.curve()
    short = [table[table["length"] == 64] for table in (data.summary, data.samples)]
    found = texts(figure, FigureData(*short))
    assert found["note"] == "Time per training step (ms), lower is better, at length 64"
    assert [found[f"mean-{i}"] for i in range(3)] == ["64", "128", "192"]
    alt = draw(figure, FigureData(*short), tmp_path / "chart.svg")
    assert "Dot plot of" in alt
    assert alt.endswith("All at length 64.")


def test_a_panel_is_as_wide_as_what_it_shows() -> None:
    figure, data = planted.panels()
    cut = data.summary[(data.summary["length"] != 64) | (data.summary["step"] < 500)]
    with theme():
        canvas = plot(figure, FigureData(cut, data.samples))
    widths = [axes.get_position().width for axes in canvas.axes]
    assert widths[0] == pytest.approx(widths[1] * 450 / 950, rel=0.02)
    assert widths[1] == pytest.approx(widths[2])


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show(tmp_path: Path) -> None:
    figure, data = planted.curve(y_scale="log10", guides={"nothing": 0.0, "a second": 1.0})
    summary = data.summary.copy()
    summary.loc[0, ["estimate", "low"]] = 0.0
    summary.loc[1, "low"] = -1.0
    found = texts(figure, FigureData(summary, data.samples))
    assert "a second" in found.values()
    assert "nothing" not in found.values()
    assert "0 at 64" in draw(figure, FigureData(summary, data.samples), tmp_path / "chart.svg")


NASTY = "a<b & \"c\" 'd' $x_2$ -->\x07\nsecond"


@pytest.mark.parametrize("kind", [Curve, Interval])
def test_markup_in_names_is_escaped(kind: type[Figure], tmp_path: Path) -> None:
    centres = {(NASTY, 1): 0.5, (NASTY, 2): 0.6, ("]]>", 1): 0.1, ("]]>", 2): 0.2}
    figure: Figure = Curve(caption="", x="length", y="accuracy", hue="model", guides={NASTY: 0.3})
    if kind is Interval:
        figure = Interval(caption="", x="accuracy", y="model", hue="length", guides={NASTY: 0.3})
    alt = draw(
        figure, planted.data(planted.tables(("model", "length"), centres), figure=figure), tmp_path / "a.svg"
    )
    assert ids(tmp_path / "a.svg")
    assert "a<b & \"c\" 'd' $x_2$" in alt
    assert alt.isprintable()


def test_without_measurements_there_is_a_placeholder_that_says_so(tmp_path: Path) -> None:
    for figure, data in (planted.curve(), planted.tradeoff()):
        nothing = FigureData(data.summary.head(0), data.samples.head(0))
        assert nothing.empty
        assert not data.empty
        assert draw(figure, nothing, tmp_path / "chart.svg") == "Nothing was measured for this figure."
        assert "nothing" in ids(tmp_path / "chart.svg")


def test_needs_name_metric_factors_and_split() -> None:
    assert needs(planted.panels()[0]) == (Need("loss", ("length", "model", "step"), ""),)
    assert needs(Interval(caption="", x="mse", y="model", hue="model", split="test")) == (
        Need("mse", ("model",), "test"),
    )
    assert [need.metric for need in needs(planted.tradeoff()[0])] == ["step_time", "accuracy"]
    assert [(need.metric, need.by) for need in needs(planted.roofline()[0])] == [
        ("memory_bandwidth", ("model", "width")), ("matmul_rate", ("model", "width")),
        ("step_time", ()), ("flop_rate", ()),
    ]  # fmt: skip
    assert needs(planted.heatmap()[0]) == (Need("peak_memory", ("width", "length"), ""),)
    assert needs(planted.maps()[0]) == (Need("influence", ("model", "output", "step"), ""),)
    with pytest.raises(TypeError, match="found a Table"):
        needs(Table(caption="", rows=("model",), metrics=("loss",)))


def test_names_in_a_scatter_plot_stay_clear_of_its_bars() -> None:
    figure, data = planted.tradeoff()
    wide = data.summary.assign(y_low=-5.0, y_high=5.0)
    with theme():
        canvas = plot(figure, FigureData(wide, data.samples))
        axes, dpi = canvas.axes[0], canvas.dpi
        bars = axes.transData.transform(wide[["x_estimate", "y_estimate"]] * [1e3, 1.0])[:, 0] / dpi
    names = [text for text in canvas.texts if str(text.get_gid()).startswith("label-")]
    assert len(names) == 3
    for name in names:
        left = name.get_position()[0]
        assert not any(left < bar < left + text_width(name.get_text()) for bar in bars)


def test_a_roof_bends_where_its_slope_meets_its_height_and_names_stay_off_it() -> None:
    figure, data = planted.roofline()
    with theme():
        canvas = plot(figure, data)
    panel = canvas.axes[0]
    (roof,) = (line for line in panel.lines if line.get_gid() == "roof")
    x, y = np.asarray(roof.get_xdata(), dtype=float), np.asarray(roof.get_ydata(), dtype=float)
    assert y == pytest.approx(np.minimum(10 * x, 200))
    assert (x == 20).any()  # the corner is drawn, not cut
    low, high = panel.get_ylim()
    assert low < 200 < high
    found = {str(text.get_gid()): text.get_text() for text in canvas.texts}
    assert (found["roof-slope"], found["roof-height"]) == ("Time per training step", "Compute rate")
    without = FigureData(data.summary.assign(roof_slope=np.nan), data.samples)
    assert not any("roof" in gid for gid in texts(figure, without))


def test_marks_are_joined_in_order_and_grow_and_the_last_is_named() -> None:
    figure, data = planted.roofline()
    with theme():
        canvas = plot(figure, FigureData(data.summary.iloc[::-1], data.samples))
    panel = canvas.axes[0]
    joined = [line for line in panel.lines if line.get_gid() == "joined"]
    assert [list(line.get_xdata()) for line in joined] == [[4, 8, 16]] * 2  # type: ignore[arg-type]
    points = [line for line in panel.lines if str(line.get_gid()).startswith("series-")]
    sizes = [line.get_markersize() for line in points]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    names = [text.get_text() for text in canvas.texts if str(text.get_gid()).startswith("label-")]
    assert sorted(names) == ["LSTM", "Transformer"]


def test_gather_joins_the_two_metrics_of_a_tradeoff_by_level_and_seed() -> None:
    figure, _ = planted.tradeoff()
    x = planted.tables(("model",), {("LSTM",): 1.0, ("GRU",): 2.0}, seeds=3)
    y = planted.tables(("model",), {("GRU",): 0.5}, seeds=5)
    answers = {"step_time": x, "accuracy": y}
    joined = gather(figure, lambda need: answers[need.metric])
    assert joined.summary[["model", "x_estimate", "y_estimate", "n"]].values.tolist() == [
        ["GRU", 2.0, 0.5, 3]
    ]
    assert list(joined.samples.columns) == ["model", "seed", "x_value", "y_value"]
    assert len(joined.samples) == 3


def test_the_number_of_seeds_in_words() -> None:
    def counts(*n: int) -> pd.DataFrame:
        return pd.DataFrame({"n": n})

    assert describe_n(counts(5, 5)) == "n = 5 seeds"
    assert describe_n(counts(5, 3)) == "n = 3 to 5 seeds"
    assert describe_n(counts(1)) == "n = 1 seed"
    assert describe_n(counts(1), deterministic=True) == "deterministic"
    assert describe_n(counts()) == "n = 0 seeds"


def test_matplotlib_s_settings_are_restored() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with theme():
        assert mpl.rcParams["figure.dpi"] == 72
    assert dict(mpl.rcParams) == before


def test_long_names_are_cut_to_two_lines_and_panels_stay_wide() -> None:
    figure, data = planted.curve()
    name = "a Transformer with rotary positions, grouped queries and a name without end"
    data = replace(data, summary=data.summary.replace({"model": {"LSTM": name}}))
    with theme():
        canvas = plot(figure, FigureData(data.summary, data.samples.replace({"model": {"LSTM": name}})))
    label = next(t.get_text() for t in canvas.texts if t.get_text().startswith("a Transformer"))
    assert re.fullmatch(r"[^\n]+\n[^\n]+ …", label)
    assert canvas.axes[0].get_position().width > 0.6


def test_a_users_own_settings_change_no_figure(tmp_path: Path) -> None:
    """A back end that is not there, and settings in the current folder."""
    (tmp_path / "matplotlibrc").write_text("font.size: 40\naxes.linewidth: 9\n")
    script = "import seqlab.charts.style, matplotlib as m; print(m.get_backend(), m.rcParams['font.size'])"
    environment = os.environ | {"MPLBACKEND": "nonsense", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["svg", "10.0"]
