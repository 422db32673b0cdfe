"""How are measurements drawn? A few kinds of chart, in one style, each with its alt text.

`draw.needs` says what to ask the analysis for, `draw.draw` writes the SVG. Nothing here computes a
statistic: estimates, intervals and samples arrive as tables.
"""
