"""How is a small chart written as SVG by hand, one drawing for light, dark and print?

Text stays text, in the page's font. A tone is one of the page's own, by name, or the colour of a model, as
hexadecimal. Every mark has it twice: as an attribute, which paper shows, and as a class (`s-ink`, `f-green`,
`f vermilion`) for which the page's style sheets have a light and a dark colour. `seqlab.charts.svg` does the
same for matplotlib's figures. Lengths are in units of the drawing; text of size 10.5 stays above 7 pt where
320 of them are half a page wide.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from seqlab.charts.colours import NAMED, TEXT_NAMED

TONES = {
    "ink": "#1c2127",
    "soft": "#586069",
    "rule": "#d9dde2",
    "wash": "#f4f5f7",
    "green": "#1d7a4c",
    "amber": "#8f5000",
    "violet": "#7a3e9d",
    "red": "#b3261e",
    "blue": "#2563a8",
}
FONT = "Libertinus Serif"  # on paper; a page has its own
TEXT = 10.5


@dataclass
class Drawing:
    """Marks on a canvas whose origin is its upper left corner."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        tone: str,
        *,
        width: float = 1.0,
        dash: str = "",
    ) -> None:
        """A straight line; `dash` as SVG has it."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        (x1, y1), (x2, y2) = start, end
        self.parts.append(
            f'<line x1="{x1:.4g}" y1="{y1:.4g}" x2="{x2:.4g}" y2="{y2:.4g}" {_stroke(tone, width)}{dashed}/>'
        )

    def path(
        self, points: Sequence[tuple[float, float]], tone: str, *, width: float = 1.6, dash: str = ""
    ) -> None:
        """A line through these points."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        through = " ".join(f"{x:.4g},{y:.4g}" for x, y in points)
        self.parts.append(
            f'<polyline points="{through}" fill="none" {_stroke(tone, width)}'
            f' stroke-linejoin="round"{dashed}/>'
        )

    def box(self, x: float, y: float, width: float, height: float, tone: str) -> None:
        """A filled rectangle."""
        self.parts.append(
            f'<rect x="{x:.4g}" y="{y:.4g}" width="{max(width, 0):.4g}" height="{height:.4g}" {_fill(tone)}/>'
        )

    def dot(
        self, x: float, y: float, radius: float, tone: str, *, title: str = "", faint: bool = False
    ) -> None:
        """A filled circle; `title` is what hovering tells."""
        told = f"<title>{escape(title)}</title>" if title else ""
        pale = ' opacity="0.4"' if faint else ""
        self.parts.append(
            f'<circle cx="{x:.4g}" cy="{y:.4g}" r="{radius:.4g}" {_fill(tone)}{pale}>{told}</circle>'
        )

    def arrow(self, x: float, y: float, tone: str, *, right: bool) -> None:
        """A small arrowhead at the edge, for what goes on beyond it."""
        back = -4 if right else 4
        self.parts.append(
            f'<polygon points="{x:.4g},{y:.4g} {x + back:.4g},{y - 3:.4g} {x + back:.4g},{y + 3:.4g}"'
            f" {_fill(tone)}/>"
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        tone: str = "soft",
        *,
        anchor: str = "start",
        size: float = TEXT,
        bold: bool = False,
    ) -> None:
        """A line of text on the baseline `y`; `anchor` is start, middle or end."""
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(
            f'<text x="{x:.4g}" y="{y:.4g}" text-anchor="{anchor}" font-size="{size:g}"'
            f' font-family="{FONT}"{weight} {_fill(tone)}>{escape(text)}</text>'
        )

    def write(self, path: Path) -> Path:
        """Write the file, atomically, and return its path."""
        text = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" viewBox="0 0 {self.width:g} '
            f'{self.height:g}" width="{self.width:g}" height="{self.height:g}">{"".join(self.parts)}</svg>\n'
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
        return path


def _stroke(tone: str, width: float) -> str:
    named = f'class="s-{tone}" stroke="{TONES[tone]}"' if tone in TONES else _model("s", "stroke", tone)
    return f'{named} stroke-width="{width:g}"'


def _fill(tone: str) -> str:
    return f'class="f-{tone}" fill="{TONES[tone]}"' if tone in TONES else _model("f", "fill", tone)


def _model(letter: str, role: str, colour: str) -> str:
    """A model's colour, with the name that `report/theme/charts.css` knows it by: of marks, or of text."""
    if colour in TEXT_NAMED and colour not in NAMED:
        return f'class="t {TEXT_NAMED[colour]}" {role}="{colour}"'
    return f'class="{letter} {NAMED[colour]}" {role}="{colour}"'
