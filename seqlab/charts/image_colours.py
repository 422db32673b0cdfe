"""Which colour does each pixel of an image panel have: a shade of grey, a category, an overlay?

Shades are black with varying opacity, so that they suit light pages and dark ones, which invert them.
Categories are spaced evenly in lightness, from dark to light, and neighbours differ in hue, too: lightness
alone tells them apart for readers and printers without colour.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from seqlab.charts import colours
from seqlab.charts.units import number
from seqlab.notebook.artifacts import Panel

DARKEST, LIGHTEST = 22.0, 80.0  # CIE lightness L*: lighter ones would fade into the white page
BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION = (
    hue.mark
    for hue in (colours.BLUE, colours.GREEN, colours.ORANGE, colours.PURPLE, colours.SKY, colours.VERMILION)
)
OVERLAY_COLOUR, OVERLAY_OPACITY = VERMILION, 0.7  # at its strongest, the image still shows through
_YELLOW = "#F0E442"  # Okabe and Ito's eighth colour, for the lightest category
# Hues from dark to light, for few categories and for many.
_HUES = {
    1: (BLUE,),
    2: (BLUE, ORANGE),
    3: (BLUE, VERMILION, _YELLOW),
    4: (BLUE, VERMILION, SKY, _YELLOW),
    5: (BLUE, VERMILION, GREEN, SKY, _YELLOW),
    6: (BLUE, VERMILION, GREEN, PURPLE, SKY, _YELLOW),
}
_MANY = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, _YELLOW)


def lightness(colour: str) -> float:
    """CIE L* of an sRGB colour: 0 for black, 100 for white."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return 116 * y ** (1 / 3) - 16 if y > 216 / 24389 else y * 24389 / 27


def palette(count: int) -> list[str]:
    """A colour for each of `count` categories, in even steps of lightness from dark to light."""
    hues = _HUES.get(count) or [_MANY[i % len(_MANY)] for i in range(count)]
    steps = np.linspace(DARKEST, LIGHTEST, count) if count > 1 else [45.0]
    return [_with_lightness(hue, float(step)) for hue, step in zip(hues, steps, strict=True)]


def _with_lightness(hue: str, wanted: float) -> str:
    """The hue mixed with black or white to reach this lightness."""
    goal = 0.0 if lightness(hue) > wanted else 1.0

    def mixed(share: float) -> str:
        red, green, blue = ((1 - share) * part + share * goal for part in to_rgb(hue))
        return to_hex((red, green, blue))

    low, high = 0.0, 1.0
    for _ in range(20):  # bisection, to a millionth
        share = (low + high) / 2
        if (lightness(mixed(share)) > wanted) == (goal == 0.0):
            low = share
        else:
            high = share
    return mixed(high)


@dataclass(frozen=True)
class ColourScale:
    """The meaning of colours in all panels of a grid: names of categories, and the range of the shades."""

    categories: tuple[str, ...]
    shade_range: tuple[float, float] | None  # lowest and highest; None where no panel has shades
    overlay_range: tuple[float, float] | None

    @classmethod
    def of(cls, panels: Iterable[Panel]) -> "ColourScale":
        """The common scale of these panels."""
        shown = list(panels)
        categories = dict.fromkeys(name for panel in shown for name in panel.categories)
        shaded = [value for panel in shown if not panel.categories for row in panel.matrix for value in row]
        over = [value for panel in shown for row in panel.over for value in row]
        return cls(
            tuple(categories),
            (min(shaded), max(shaded)) if shaded else None,
            (min(0.0, *over), max(over)) if over else None,  # an overlay of zero is invisible
        )

    @property
    def colours(self) -> list[str]:
        """The colours of the categories."""
        return palette(len(self.categories))

    def rgba(self, panel: Panel) -> np.ndarray:
        """The panel's pixels (rows x columns x 4, bytes); a pixel without a category is transparent."""
        matrix = np.array(panel.matrix, dtype=float)
        image = np.zeros((*matrix.shape, 4))
        if panel.categories:
            known = dict(zip(self.categories, self.colours, strict=True))
            colours = np.array([(*to_rgb(known[name]), 1.0) for name in panel.categories] + [(0.0,) * 4])
            image = colours[matrix.astype(int)]  # -1 is the last, which is transparent
        elif self.shade_range:
            image[..., 3] = normalised(matrix, self.shade_range)
        if panel.over and self.overlay_range:
            image = _overlaid(
                image, OVERLAY_OPACITY * normalised(np.array(panel.over, dtype=float), self.overlay_range)
            )
        return np.round(255 * image).astype(np.uint8)


def range_labels(low: float, high: float) -> tuple[str, str]:
    """The ends of a range as text; an end below a thousandth of the other is written as 0."""
    least = 1e-3 * max(abs(low), abs(high))
    lowest, highest = (number(end if abs(end) > least else 0.0, digits=2) for end in (low, high))
    return lowest, highest


def normalised(values: np.ndarray, ends: Sequence[float]) -> np.ndarray:
    """Values scaled from the range `ends` to [0, 1]; 0.5 where the range is empty."""
    low, high = ends
    return np.full(values.shape, 0.5) if low == high else np.clip((values - low) / (high - low), 0.0, 1.0)


def _overlaid(image: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Porter and Duff's "over" operator (1984), with one colour and an opacity for each pixel."""
    above, below = opacity[..., None], image[..., 3:]
    alpha = above + below * (1 - above)
    colour = np.array(to_rgb(OVERLAY_COLOUR)) * above + image[..., :3] * below * (1 - above)
    return np.concatenate([colour / np.where(alpha == 0, 1.0, alpha), alpha], axis=-1)
