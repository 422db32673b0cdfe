"""Are image grids well-formed, reproducible, divided into pages, and readable without colour?"""

import base64
import io
import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from seqlab.charts.draw import draw_image_grid
from seqlab.charts.image_colours import DARKEST, LIGHTEST, ColourScale, lightness, palette
from seqlab.charts.image_grid import MAX_HEIGHT, pages, plot
from seqlab.charts.image_grid_alt import describe_image_grid
from seqlab.charts.run_panels import RunPanels
from seqlab.charts.style import WIDTH, theme
from seqlab.notebook.artifacts import Panel

IMAGE = tuple(tuple(float(i == j) for j in range(8)) for i in range(8))
OVER = tuple(tuple(0.2 * (i == 2 and j == 5) for j in range(8)) for i in range(8))
ATTENTION = RunPanels("Transformer", tuple(Panel(f"head {k}", IMAGE, over=OVER) for k in range(3)))
CHORALE = Panel(
    "Chorale", tuple(tuple(-1 if (i + j) % 3 else i % 2 for j in range(128)) for i in range(40)),
    categories=("bass", "soprano"), rows=tuple(f"pitch {i}" for i in range(40)), x="Sixteenth", y="Pitch",
)  # fmt: skip
CHAIN = Panel(
    "Chain", tuple(tuple(j % 3 for j in range(150)) for _ in range(3)), rows=("truth", "best", "LSTM"),
    categories=("helix", "strand", "coil"), x="Residue",
)  # fmt: skip


def drawn(rows: list[RunPanels]) -> tuple[dict[str, str], list[tuple[float, float, float, float]]]:
    """The texts of an image grid, by their ids, and the positions of its panels in inches."""
    with theme():
        scale = ColourScale.of(panel for row in rows for panel in row.panels)
        [lines] = pages(rows, scale)
        figure = plot(lines, scale)
    width, height = figure.get_size_inches()
    boxes = [axes.get_position() for axes in figure.axes]
    places = [(box.x0 * width, box.y0 * height, box.width * width, box.height * height) for box in boxes]
    return {str(text.get_gid()): text.get_text() for text in figure.texts}, places


def described(*rows: RunPanels) -> str:
    scale = ColourScale.of(panel for row in rows for panel in row.panels)
    return describe_image_grid([line for part in pages(rows, scale) for line in part])


def test_an_image_grid_is_a_well_formed_svg_with_equal_bytes_each_time(tmp_path: Path) -> None:
    rows = [ATTENTION, RunPanels("LSTM", (CHAIN, CHORALE))]
    [(path, alt)] = draw_image_grid(rows, tmp_path / "a", "grid")
    [(again, same)] = draw_image_grid(rows, tmp_path / "b", "grid")
    assert (path.read_bytes(), alt) == (again.read_bytes(), same)
    ids = [element.get("data-part", "") for element in ET.parse(path).iter()]
    assert sum(name.startswith("panel-") for name in ids) == 5
    assert {"shades", "over", "legend-0", "legend-4"} <= set(ids)
    assert path.stat().st_size < 200_000


def test_pixels_are_as_many_and_as_sharp_as_the_matrix(tmp_path: Path) -> None:
    [(path, _)] = draw_image_grid([RunPanels("", (CHAIN,))], tmp_path, "grid")
    [encoded] = re.findall(r"data:image/png;base64,([^\"]+)", path.read_text())
    image = imread(io.BytesIO(base64.b64decode(encoded)))
    assert image.shape[1] % 150 == 0
    assert len(np.unique(image.reshape(-1, 4), axis=0)) == 3


def test_wide_panels_take_the_whole_width_one_below_the_other() -> None:
    for panel in (CHAIN, CHORALE):
        _, places = drawn([RunPanels("", (panel, panel))])
        assert all(width > 0.8 * WIDTH for _, _, width, _ in places)
        assert places[0][1] > places[1][1] + places[1][3]
        assert places[0][0] == places[1][0]
    assert drawn([RunPanels("", (CHAIN,))])[1][0][3] / 3 > 0.14  # a row's name fits beside it


def test_other_panels_stand_side_by_side_with_square_pixels_and_aligned() -> None:
    texts, places = drawn([ATTENTION, RunPanels("LSTM", ATTENTION.panels[:2])])
    assert len({round(y, 6) for _, y, _, _ in places[:3]}) == 1
    assert all(round(width, 6) == round(height, 6) for _, _, width, height in places)
    assert [x for x, *_ in places[:2]] == [x for x, *_ in places[3:]]
    assert [texts[f"row-{i}"] for i in (0, 1)] == ["Transformer", "LSTM"]
    assert (texts["shades-low"], texts["shades-high"]) == ("0", "1")
    assert (texts["over-low"], texts["over-high"]) == ("overlay: 0", "0.2")


def test_five_panels_that_do_not_fit_are_split_three_and_two() -> None:
    named = Panel("layer", IMAGE, rows=("because",) * 8, x="Key", y="Query")
    _, places = drawn([RunPanels("", (named,) * 5)])
    assert [sum(abs(y - other[1]) < 0.01 for other in places) for _, y, *_ in places] == [3, 3, 3, 2, 2]


def test_names_of_rows_never_overlap() -> None:
    with theme():
        [lines] = pages([RunPanels("", (CHORALE,))], ColourScale.of([CHORALE]))
        figure = plot(lines, ColourScale.of([CHORALE]))
    [axes] = figure.axes
    height = axes.get_position().height * figure.get_figheight() / 40
    assert all(height * (below - above) > 0.12 for above, below in pairwise(axes.get_yticks()))
    assert [tick for tick in axes.get_xticks() if tick != int(tick)] == []


def test_a_long_grid_is_divided_into_pages_with_one_legend(tmp_path: Path) -> None:
    rows = [RunPanels(f"model {i}", (CHORALE,) * (4 if i == 1 else 1)) for i in range(3)]
    scale = ColourScale.of([CHORALE])
    parts = pages(rows, scale)
    assert [[line.title for line in part] for part in parts] == [
        ["model 0", "model 1"],
        ["model 1", ""],
        ["model 1", "model 2"],
    ]
    assert all(len(line.boxes) == 1 for part in parts for line in part)
    with theme():
        assert all(plot(part, scale).get_figheight() <= MAX_HEIGHT + 0.01 for part in parts)
    made = draw_image_grid(rows, tmp_path, "long")
    assert [path.name for path, _ in made] == ["long.svg", "long-2.svg", "long-3.svg"]


def test_an_empty_grid_is_a_placeholder_that_says_so(tmp_path: Path) -> None:
    assert draw_image_grid([], tmp_path, "none") == [
        (tmp_path / "none.svg", "Nothing was measured for this figure.")
    ]
    assert (tmp_path / "none.svg").is_file()


def test_any_text_can_be_a_title(tmp_path: Path) -> None:
    odd = Panel("漢字 <b> $x$ & \x07 " * 9, IMAGE, categories=("a", "<&>"), rows=("",) * 8, x="😀", y="")
    [(path, alt)] = draw_image_grid([RunPanels("\u202e{}", (odd,))], tmp_path, "odd")
    ET.parse(path)
    assert "8 <&>" in alt


@pytest.mark.parametrize("count", range(1, 13))
def test_categories_differ_in_lightness_alone(count: int) -> None:
    levels = [lightness(colour) for colour in palette(count)]
    least = 0.9 * (LIGHTEST - DARKEST) / max(count - 1, 1)
    assert all(later - sooner > least for sooner, later in pairwise(levels))


# Machado, Oliveira and Fernandes (2009), at full severity, on linear light.
DEFICIENT = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


@pytest.mark.parametrize("seen", DEFICIENT)
@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 8])
def test_categories_differ_under_colour_vision_deficiencies(seen: str, count: int) -> None:
    light = np.array([to_rgb(colour) for colour in palette(count)]) ** 2.2
    looks = np.clip(light @ np.array(DEFICIENT[seen]).T, 0, 1) ** (1 / 2.2)
    assert all(np.abs(one - other).max() > 0.07 for one, other in combinations(looks, 2))


def test_overlays_are_coloured_and_empty_pixels_transparent() -> None:
    scale = ColourScale.of([ATTENTION.panels[0], CHORALE])
    image = scale.rgba(ATTENTION.panels[0])
    assert image[0, 1, 3] == 0  # the lightest shade is transparent
    assert image[0, 0].tolist() == [0, 0, 0, 255]
    red, _, blue, opacity = image[2, 5]
    assert red > 200
    assert blue < 30
    assert 150 < opacity < 200
    assert scale.rgba(CHORALE)[0, 1, 3] == 0
    assert scale.rgba(CHORALE)[0, 0, 3] == 255


def test_alt_text_describes_panels_and_counts_categories() -> None:
    alt = described(ATTENTION, RunPanels("LSTM", (CHAIN,)))
    assert alt.startswith("4 small images. Transformer: “head 0”, 8 rows by 8 columns, shades from 0 to 1")
    assert "with 0 to 0.2 overlaid, most at row 3, column 6; “head 1”" in alt
    assert "LSTM: “Chain”, 3 rows by 150 columns (Residue across), 150 helix, 150 strand, 150 coil." in alt
    many = described(RunPanels("", (CHAIN,) * 20))
    assert many.count(" helix") == 12
    assert many.endswith("and 8 more panels of the same kind.")
