"""Where are the texts of a drawing, in a font that is wider than those of pages?"""

from itertools import combinations
from xml.etree import ElementTree as ET

from seqlab.charts.label_placement import POINTS, text_width

SVG = "{http://www.w3.org/2000/svg}"
Placed = tuple[str, float, float, float, float]  # text, left, top, right, bottom, in points


def texts_of(svg: str) -> list[Placed]:
    """Every text with its box: from the height of capitals to the baseline."""
    found = []
    for text in ET.fromstring(svg).iter(f"{SVG}text"):
        size, words = float(text.get("font-size", 0)), text.text or ""
        width = POINTS * text_width(words, size, bold=text.get("font-weight") == "bold")
        share = {"middle": 0.5, "end": 1.0}.get(text.get("text-anchor", ""), 0.0)
        x, y = float(text.get("x", 0)) - share * width, float(text.get("y", 0))
        found.append((words, x, y - 0.73 * size, x + width, y))
    return found


def overlaps(svg: str) -> list[tuple[str, str]]:
    """The pairs of texts of which one covers part of another."""
    return [
        (one[0], other[0])
        for one, other in combinations(texts_of(svg), 2)
        if min(one[3], other[3]) - max(one[1], other[1]) > 0.5
        and min(one[4], other[4]) - max(one[2], other[2]) > 0.5
    ]


def outside(svg: str) -> list[str]:
    """The texts that leave the drawing."""
    _, _, width, height = map(float, ET.fromstring(svg).get("viewBox", "").split())
    return [
        words
        for words, left, top, right, bottom in texts_of(svg)
        if left < -0.5 or top < -0.5 or right > width + 0.5 or bottom > height + 0.5
    ]
