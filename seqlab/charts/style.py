"""Which size, colours and fonts do charts have?

The background is transparent, because pages invert charts in dark mode and a white background would turn into
a black box. No element relies on white, and the grid is a faint black that inverts to a faint white.
"""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import matplotlib as mpl
import seaborn as sns

WIDTH = 6.8  # inches: 680 px at a page's usual 100 px an inch, and 16 cm of paper at 93 %
TEXT = 8.5  # points
SMALL = 7.5
LINE = 0.175  # inches: height of a line of text with its leading

INK, MUTED, RULE = "#262626", "#666666", "#8C8C8C"
GRID = ("#000000", 0.11)  # colour and opacity: faint on white, and as faint when inverted


@cache
def _settings() -> Any:  # versions of matplotlib type their settings differently
    grid = sns.axes_style("whitegrid") | sns.plotting_context("paper")
    return grid | {
        "font.family": ["DejaVu Sans"],  # ships with matplotlib, so it is the same everywhere
        "font.size": TEXT,
        "text.color": INK,
        "text.parse_math": False,  # a level may be called "$x$"
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "axes.facecolor": "none",
        "axes.edgecolor": RULE,
        "axes.linewidth": 0.7,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "grid.color": GRID[0],
        "grid.alpha": GRID[1],
        "grid.linewidth": 0.7,
        "lines.linewidth": 1.6,
        "lines.markersize": 4.6,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "xtick.color": RULE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.bottom": True,
        "xtick.major.size": 2.5,
        "xtick.major.width": 0.7,
        "ytick.major.size": 0.0,
        "xtick.minor.bottom": False,
        "ytick.minor.left": False,
        "svg.fonttype": "path",  # the PDF's typesetter has few fonts
        "svg.hashsalt": "seqlab",  # otherwise the ids in the file differ from run to run
    }


def theme() -> AbstractContextManager[None]:
    """A context with matplotlib's settings for drawing and saving a chart; it restores them afterwards."""
    return mpl.rc_context(_settings())
