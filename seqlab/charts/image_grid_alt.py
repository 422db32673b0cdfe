"""What is the alt text of an image grid? Its panels, and how often each category occurs in them."""

from collections import Counter
from collections.abc import Sequence

from seqlab.charts.image_colours import range_labels
from seqlab.charts.image_grid import PanelRow
from seqlab.notebook.artifacts import Matrix, Panel

_MOST = 12  # panels that are described one by one; nobody remembers more by ear


def describe_image_grid(lines: Sequence[PanelRow]) -> str:
    """Alt text for the panels of all lines. Plain text: escape it where it is used."""
    panels = [(line.title if i == 0 else "", box.panel) for line in lines for i, box in enumerate(line.boxes)]
    parts = [(f"{title}: " if title else "") + _panel(panel) for title, panel in panels[:_MOST]]
    more = len(panels) - _MOST
    if more > 0:
        parts.append(f"and {more} more panel{'s' if more > 1 else ''} of the same kind")
    count = f"{len(panels)} small image{'s' if len(panels) > 1 else ''}"
    return f"{count}. {'; '.join(parts)}."


def _panel(panel: Panel) -> str:
    rows, columns = len(panel.matrix), len(panel.matrix[0])
    axes = [f"{name} {way}" for name, way in ((panel.x, "across"), (panel.y, "down")) if name]
    name = f"“{panel.title}”, " if panel.title else ""
    size = f"{rows} row{'s' if rows > 1 else ''} by {columns} column{'s' if columns > 1 else ''}"
    what = f"{name}{size}" + (f" ({', '.join(axes)})" if axes else "")
    over = f", with {_range(panel.over)} overlaid, most {_most(panel)}" if panel.over else ""
    return f"{what}, {_counts(panel) if panel.categories else f'shades from {_range(panel.matrix)}'}{over}"


def _counts(panel: Panel) -> str:
    """How many pixels are of each category, the empty ones last."""
    found = Counter(int(value) for row in panel.matrix for value in row)
    parts = [f"{found[i]:,} {name}" for i, name in enumerate(panel.categories) if found[i]]
    return ", ".join([*parts, *([f"{found[-1]:,} empty"] if found[-1] else [])])


def _range(matrix: Matrix) -> str:
    values = [value for row in matrix for value in row]
    return " to ".join(range_labels(min(values), max(values)))


def _most(panel: Panel) -> str:
    places = [(i, j) for i, line in enumerate(panel.over) for j in range(len(line))]
    row, column = max(places, key=lambda place: panel.over[place[0]][place[1]])
    named = f"“{panel.rows[row]}”" if panel.rows and panel.rows[row] else f"row {row + 1}"
    return f"at {named}, column {column + 1}"
