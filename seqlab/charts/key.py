"""Which colour, marker and dash is which, where names do not fit beside what they name?"""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seqlab.charts.marks import Mark
from seqlab.charts.placing import text_width
from seqlab.charts.style import LINE, WIDTH


def key_rows(names: Sequence[str], *, lines: bool, width: float = WIDTH) -> list[list[int]]:
    """Which names of a key go into which of its rows, each at most `width` inches wide."""
    rows: list[list[int]] = [[]]
    used = 0.0
    for i, name in enumerate(names):
        need = _key_width(name, _sample(lines))
        if rows[-1] and used + need > width:
            rows.append([])
            used = 0.0
        rows[-1].append(i)
        used += need
    return rows


def _key_width(name: str, sample: float) -> float:
    return sample + 0.06 + text_width(name) + 0.2


def _sample(lines: bool) -> float:
    """Width of a sample in inches: a line with its dash, or a marker alone."""
    return 0.28 if lines else 0.12


def draw_key(figure: Figure, names: Sequence[str], given: Sequence[Mark], *, top: float, lines: bool) -> None:
    """A row of line samples and names, where names do not fit beside the lines. `top` is in inches."""
    inches = figure.dpi_scale_trans
    for row, members in enumerate(key_rows(names, lines=lines)):
        x, y, sample = 0.04, top - (row + 0.5) * LINE, _sample(lines)
        for i in members:
            mark = given[i]
            figure.add_artist(
                Line2D(
                    [x, x + sample / 2, x + sample],
                    [y, y, y],
                    transform=inches,
                    color=mark.colour,
                    linestyle=mark.linestyle if lines else "none",
                    marker=mark.marker,
                    markevery=[1],
                    markeredgewidth=0,
                )
            )
            figure.text(
                x + sample + 0.06,
                y,
                names[i],
                transform=inches,
                color=mark.ink,
                va="center_baseline",
                gid=f"key-{i}",
            )
            x += _key_width(names[i], sample)
