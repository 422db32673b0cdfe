"""How are measurements drawn? A few kinds of chart in one style, each with alt text.

`draw.needs` lists the statistics that a chart needs from the analysis, and `draw.draw` writes the SVG.
Nothing here computes a statistic: estimates, intervals and samples arrive as tables.
"""

import os

os.environ["MPLBACKEND"] = "svg"  # one that a user chose may not be installed, or want a screen
