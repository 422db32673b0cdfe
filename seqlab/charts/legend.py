"""How is a legend drawn, where names do not fit beside lines or marks?"""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seqlab.charts.label_placement import text_width
from seqlab.charts.series_styles import SeriesStyle
from seqlab.charts.style import LINE, WIDTH


def legend_rows(names: Sequence[str], *, lines: bool, width: float = WIDTH) -> list[list[int]]:
    """The names of a legend by row, as indices; each row is at most `width` inches wide."""
    rows: list[list[int]] = [[]]
    used = 0.0
    for i, name in enumerate(names):
        need = _legend_width(name, _sample(lines))
        if rows[-1] and used + need > width:
            rows.append([])
            used = 0.0
        rows[-1].append(i)
        used += need
    return rows


def _legend_width(name: str, sample: float) -> float:
    return sample + 0.06 + text_width(name) + 0.2


def _sample(lines: bool) -> float:
    """Width in inches of a sample: a dashed line with its marker, or a marker alone."""
    return 0.28 if lines else 0.12


def draw_legend(
    figure: Figure, names: Sequence[str], styles: Sequence[SeriesStyle], *, top: float, lines: bool
) -> None:
    """Draw rows of samples and names; `top` is in inches from below."""
    inches = figure.dpi_scale_trans
    for row, members in enumerate(legend_rows(names, lines=lines)):
        x, y, sample = 0.04, top - (row + 0.5) * LINE, _sample(lines)
        for i in members:
            style = styles[i]
            figure.add_artist(
                Line2D(
                    [x, x + sample / 2, x + sample],
                    [y, y, y],
                    transform=inches,
                    color=style.colour,
                    linestyle=style.linestyle if lines else "none",
                    marker=style.marker,
                    markevery=[1],
                    markeredgewidth=0,
                )
            )
            figure.text(
                x + sample + 0.06,
                y,
                names[i],
                transform=inches,
                color=style.ink,
                va="center_baseline",
                gid=f"legend-{i}",
            )
            x += _legend_width(names[i], sample)
