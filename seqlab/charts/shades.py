"""Which colour has each field of a plate's panel: a shade of ink, a category, what is laid over?

Shades are black of more or less opacity, so that they fit light pages and dark ones, which are the light
ones inverted. Categories differ in lightness as much as their number allows, from dark to light, and
neighbours in hue too: who sees no colour, and a printer without it, tell them apart by lightness alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from seqlab.charts.marks import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from seqlab.charts.units import number
from seqlab.notebook.artifacts import Panel

DARKEST, LIGHTEST = 22.0, 80.0  # CIE lightness L*: lighter ones would fade into the white page
OVER, OPACITY = VERMILION, 0.7  # what is laid over: at its strongest, the image still shows through
_YELLOW = "#F0E442"  # Okabe and Ito's eighth colour, where it is to be as light as it is
# Hues by the lightness that suits them, for a few categories and for many.
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
    return [_lit(hue, float(step)) for hue, step in zip(hues, steps, strict=True)]


def _lit(hue: str, wanted: float) -> str:
    """The hue mixed with black or white until it has this lightness."""
    goal = 0.0 if lightness(hue) > wanted else 1.0

    def mixed(share: float) -> str:
        red, green, blue = ((1 - share) * part + share * goal for part in to_rgb(hue))
        return to_hex((red, green, blue))

    low, high = 0.0, 1.0
    for _ in range(20):  # halving: to a millionth
        share = (low + high) / 2
        if (lightness(mixed(share)) > wanted) == (goal == 0.0):
            low = share
        else:
            high = share
    return mixed(high)


@dataclass(frozen=True)
class Look:
    """What colours mean, the same in all panels of a plate: names of categories, ends of the shades."""

    categories: tuple[str, ...]
    shades: tuple[float, float] | None  # lowest and highest; None where no panel has shades
    over: tuple[float, float] | None

    @classmethod
    def of(cls, panels: Iterable[Panel]) -> "Look":
        shown = list(panels)
        categories = dict.fromkeys(name for panel in shown for name in panel.categories)
        shaded = [value for panel in shown if not panel.categories for row in panel.matrix for value in row]
        over = [value for panel in shown for row in panel.over for value in row]
        return cls(
            tuple(categories),
            (min(shaded), max(shaded)) if shaded else None,
            (min(0.0, *over), max(over)) if over else None,  # nothing laid over is nothing seen
        )

    @property
    def colours(self) -> list[str]:
        """Of the categories."""
        return palette(len(self.categories))

    def rgba(self, panel: Panel) -> np.ndarray:
        """The panel's fields (rows x columns x 4, bytes); a field without a category is transparent."""
        matrix = np.array(panel.matrix, dtype=float)
        image = np.zeros((*matrix.shape, 4))
        if panel.categories:
            known = dict(zip(self.categories, self.colours, strict=True))
            colours = np.array([(*to_rgb(known[name]), 1.0) for name in panel.categories] + [(0.0,) * 4])
            image = colours[matrix.astype(int)]  # -1 is the last, which is clear
        elif self.shades:
            image[..., 3] = share(matrix, self.shades)
        if panel.over and self.over:
            image = _laid_over(image, OPACITY * share(np.array(panel.over, dtype=float), self.over))
        return np.round(255 * image).astype(np.uint8)


def said(low: float, high: float) -> tuple[str, str]:
    """Two ends in words; what is a thousandth of the other is nothing, to the eye."""
    least = 1e-3 * max(abs(low), abs(high))
    lowest, highest = (number(end if abs(end) > least else 0.0, digits=2) for end in (low, high))
    return lowest, highest


def share(values: np.ndarray, ends: Sequence[float]) -> np.ndarray:
    """Where values lie between two ends, from 0 to 1; in the middle where both are the same."""
    low, high = ends
    return np.full(values.shape, 0.5) if low == high else np.clip((values - low) / (high - low), 0.0, 1.0)


def _laid_over(image: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Porter and Duff's "over" (1984), of one colour with an opacity for each field."""
    above, below = opacity[..., None], image[..., 3:]
    alpha = above + below * (1 - above)
    colour = np.array(to_rgb(OVER)) * above + image[..., :3] * below * (1 - above)
    return np.concatenate([colour / np.where(alpha == 0, 1.0, alpha), alpha], axis=-1)
