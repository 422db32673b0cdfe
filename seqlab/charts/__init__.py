"""How are measurements drawn? A few kinds of chart in one style, each with alt text.

`draw.needs` lists the statistics that a chart needs from the analysis, and `draw.draw` writes the SVG.
Nothing here computes a statistic: estimates, intervals and samples arrive as tables.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

# A user's own settings, or a `matplotlibrc` in the current folder, must not change or break a figure.
if "matplotlib" not in sys.modules and (found := find_spec("matplotlib")) and found.origin:
    os.environ["MPLBACKEND"] = "svg"
    os.environ["MATPLOTLIBRC"] = str(Path(found.origin).parent / "mpl-data" / "matplotlibrc")
