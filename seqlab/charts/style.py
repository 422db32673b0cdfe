"""Which size, colours and fonts do charts have?

The background is transparent, since one drawing stands on light pages and on dark ones.
"""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import matplotlib as mpl
import seaborn as sns

from seqlab.charts.colours import INK, MUTED, RULE

mpl.rcdefaults()  # a user's settings, or a `matplotlibrc` in the current folder, must not change a figure

WIDTH = 6.8  # inches: 680 px at a page's usual 100 px an inch, and 16 cm of paper at 93 %
TITLE, TEXT, SMALL = 10.5, 9.0, 8.0  # points; paper shows 94 % of them
LINE = 0.185  # inches: height of a line of text with its leading
GRID_OPACITY = 0.13


@cache
def _settings() -> Any:  # versions of matplotlib type their settings differently
    grid = sns.axes_style("whitegrid") | sns.plotting_context("paper")
    return grid | {
        "font.family": ["DejaVu Sans"],  # measured with, since it ships with matplotlib and is a wide one
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
        "grid.color": INK,
        "grid.alpha": GRID_OPACITY,
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
        "figure.dpi": 72,  # so that a pixel is a point
    }


def theme() -> AbstractContextManager[None]:
    """A context with matplotlib's settings for drawing and saving a chart; it restores them afterwards."""
    return mpl.rc_context(_settings())
