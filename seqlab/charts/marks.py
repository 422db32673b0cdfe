"""Which colour, marker and dash does a level have, in all of the charts?

The colours are Okabe and Ito's (2008), which people with any common colour blindness tell apart;
yellow is left out, since it vanishes on white, and greys stand for baselines that learn nothing.
Colour is never the only cue: each level has its own marker and dash too. Text that names a level has
a darker shade of its colour.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import seaborn as sns
from matplotlib.colors import to_hex, to_rgb

from seqlab.charts.words import is_numeric
from seqlab.notebook.figures import Level

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, DARK_GREY, GREY = "#CC79A7", "#56B4E9", "#4D4D4D", "#8C8C8C"

Dash = tuple[float, ...]  # on, off, … in line widths; empty for a solid line
SOLID: Dash = ()
LONG, SHORT, DOTS = (5.0, 1.6), (2.6, 1.3), (1.0, 1.3)
DASH_DOT, LONG_DOTS, DASH_DOTS = (5.0, 1.4, 1.0, 1.4), (7.0, 1.4, 1.0, 1.4), (3.0, 1.2, 1.0, 1.2, 1.0, 1.2)


@dataclass(frozen=True)
class Mark:
    """How one level is drawn."""

    colour: str
    marker: str
    dash: Dash = SOLID

    @property
    def ink(self) -> str:
        """The colour for text: darkened until its contrast with white is 4.5 to 1 (WCAG 2.2, AA)."""
        red, green, blue = to_rgb(self.colour)
        while 1.05 / (_luminance(red, green, blue) + 0.05) < 4.5:
            red, green, blue = 0.96 * red, 0.96 * green, 0.96 * blue
        return to_hex((red, green, blue))

    @property
    def linestyle(self) -> Literal["-"] | tuple[float, Dash]:
        """The dash as matplotlib takes it."""
        return (0.0, self.dash) if self.dash else "-"


def _luminance(*rgb: float) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# A family keeps its colour: whatever attends is blue. Names are compared without case and hyphens.
_ATTENTION, _CONVOLUTION = Mark(BLUE, "o"), Mark(GREEN, "v", DASH_DOT)
KNOWN: dict[str, Mark] = {
    "transformer": _ATTENTION,
    "lstm": Mark(VERMILION, "s", LONG),
    "gru": Mark(ORANGE, "D", SHORT),
    "rnn": Mark(PURPLE, "^", DOTS),
    "mingru": Mark(SKY, "P", DASH_DOT),
    "cnn": _CONVOLUTION,
    "vit": _ATTENTION,
    "patchtransformer": _ATTENTION,
    "patchtst": _ATTENTION,
    "tcn": _CONVOLUTION,
    "ssm": Mark(SKY, "X", LONG_DOTS),
    "mamba": Mark(SKY, "X", LONG_DOTS),
    "linear": Mark(GREEN, "v", DASH_DOTS),
    "dlinear": Mark(GREEN, "v", DASH_DOTS),
    "mlp": Mark(ORANGE, "h", LONG_DOTS),
    "leastsquares": Mark(PURPLE, "^", DOTS),
    "truth": Mark(DARK_GREY, "*", DOTS),
    "logisticregression": Mark(DARK_GREY, "X", SHORT),
    "seasonalnaive": Mark(DARK_GREY, "X", SHORT),
    "repeatlast": Mark(GREY, "p", DOTS),
}
_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, DARK_GREY, GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "<", ">", "*")
_DASHES = (SOLID, LONG, DOTS, DASH_DOT, SHORT, LONG_DOTS, DASH_DOTS)


def marks(levels: Sequence[Level]) -> dict[Level, Mark]:
    """A mark for each level; up to seven share neither colour, marker nor dash.

    A known name has its own mark, and a name that contains one (`LSTM, bias 3`) takes after it. Other
    names get one by hash. So a level looks the same in every chart, unless a level of higher standing
    has its mark already: then it takes what is free. Numbers get a ramp from light to dark, by rank.
    """
    if levels and is_numeric(levels):
        return _ramp(levels)
    given: dict[Level, Mark] = {}
    for level in sorted(levels, key=_standing):
        wish, taken = _wish(str(level)), list(given.values())
        given[level] = Mark(
            _free(_COLOURS, wish.colour, [mark.colour for mark in taken]),
            _free(_MARKERS, wish.marker, [mark.marker for mark in taken]),
            _free(_DASHES, wish.dash, [mark.dash for mark in taken]),
        )
    return {level: given[level] for level in levels}


def _ramp(levels: Sequence[Level]) -> dict[Level, Mark]:
    shades = sns.color_palette("crest", len(levels)).as_hex()
    ranked = sorted(levels, key=float)
    return {
        level: Mark(
            shades[ranked.index(level)],
            _MARKERS[ranked.index(level) % len(_MARKERS)],
            _DASHES[ranked.index(level) % len(_DASHES)],
        )
        for level in levels
    }


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _family(name: str) -> str | None:
    """The known name that a name is or contains as a word, else None."""
    words = [_plain(word) for word in name.split()]
    return next((known for known in (_plain(name), *words) if known in KNOWN), None)


def _standing(level: Level) -> tuple[int, int, str]:
    name, family = str(level), _family(str(level))
    if family is None:
        return (2, 0, name)
    return (0 if family == _plain(name) else 1, list(KNOWN).index(family), name)


def _wish(name: str) -> Mark:
    family = _family(name)
    if family is not None:
        return KNOWN[family]
    lot = zlib.crc32(name.encode())  # unlike hash(), the same in every process
    return Mark(
        _COLOURS[lot % 6],  # greys are for baselines
        _MARKERS[lot // 6 % len(_MARKERS)],
        _DASHES[lot // 72 % len(_DASHES)],
    )


_Look = TypeVar("_Look")


def _free(pool: Sequence[_Look], wish: _Look, taken: Sequence[_Look]) -> _Look:
    """The wish, or the next of the pool that is not taken; where all are, the wish after all."""
    start = pool.index(wish)
    turned = [*pool[start:], *pool[:start]]
    return next((look for look in turned if look not in taken), wish)
