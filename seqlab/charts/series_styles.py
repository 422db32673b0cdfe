"""Which colour, marker and dash does a level have, in all charts alike?

The colours are Okabe and Ito's (2008), which people with common colour vision deficiencies can tell apart,
without yellow, which is too light on white. Greys are for baselines that learn nothing. Colour is never the
only cue: each level has its own marker and dash, too. The name of a level is written in a darker shade of its
colour.
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
class SeriesStyle:
    """The colour, marker and dash of one level."""

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


# Models of a family share a colour: attention is blue. Names are compared without case and punctuation.
_ATTENTION, _CONVOLUTION = SeriesStyle(BLUE, "o"), SeriesStyle(GREEN, "v", DASH_DOT)
KNOWN: dict[str, SeriesStyle] = {
    "transformer": _ATTENTION,
    "lstm": SeriesStyle(VERMILION, "s", LONG),
    "gru": SeriesStyle(ORANGE, "D", SHORT),
    "rnn": SeriesStyle(PURPLE, "^", DOTS),
    "mingru": SeriesStyle(SKY, "P", DASH_DOT),
    "cnn": _CONVOLUTION,
    "vit": _ATTENTION,
    "patchtransformer": _ATTENTION,
    "patchtst": _ATTENTION,
    "tcn": _CONVOLUTION,
    "ssm": SeriesStyle(SKY, "X", LONG_DOTS),
    "mamba": SeriesStyle(SKY, "X", LONG_DOTS),
    "linear": SeriesStyle(GREEN, "v", DASH_DOTS),
    "dlinear": SeriesStyle(GREEN, "v", DASH_DOTS),
    "mlp": SeriesStyle(ORANGE, "h", LONG_DOTS),
    "leastsquares": SeriesStyle(PURPLE, "^", DOTS),
    "truth": SeriesStyle(DARK_GREY, "*", DOTS),
    "logisticregression": SeriesStyle(DARK_GREY, "X", SHORT),
    "seasonalnaive": SeriesStyle(DARK_GREY, "X", SHORT),
    "repeatlast": SeriesStyle(GREY, "p", DOTS),
}
_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, DARK_GREY, GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "<", ">", "*")
_DASHES = (SOLID, LONG, DOTS, DASH_DOT, SHORT, LONG_DOTS, DASH_DOTS)


def series_styles(levels: Sequence[Level]) -> dict[Level, SeriesStyle]:
    """A style for each level; up to seven levels share neither colour, marker nor dash.

    A known name has its own style, and a name that contains one (`LSTM, bias 3`) takes that style. Other
    names get a style by hash. A level thus looks the same in every chart, unless a level of higher priority
    has the same style: then it takes a free one. Numbers get colours from light to dark, by rank.
    """
    if levels and is_numeric(levels):
        return _ramp(levels)
    styles: dict[Level, SeriesStyle] = {}
    for level in sorted(levels, key=_priority):
        preferred, taken = _preferred(str(level)), list(styles.values())
        styles[level] = SeriesStyle(
            _free(_COLOURS, preferred.colour, [mark.colour for mark in taken]),
            _free(_MARKERS, preferred.marker, [mark.marker for mark in taken]),
            _free(_DASHES, preferred.dash, [mark.dash for mark in taken]),
        )
    return {level: styles[level] for level in levels}


def _ramp(levels: Sequence[Level]) -> dict[Level, SeriesStyle]:
    shades = sns.color_palette("crest", len(levels)).as_hex()
    ranked = sorted(levels, key=float)
    return {
        level: SeriesStyle(
            shades[ranked.index(level)],
            _MARKERS[ranked.index(level) % len(_MARKERS)],
            _DASHES[ranked.index(level) % len(_DASHES)],
        )
        for level in levels
    }


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _family(name: str) -> str | None:
    """The known name that a name equals or contains as a word, else None."""
    words = [_plain(word) for word in name.split()]
    return next((known for known in (_plain(name), *words) if known in KNOWN), None)


def _priority(level: Level) -> tuple[int, int, str]:
    name, family = str(level), _family(str(level))
    if family is None:
        return (2, 0, name)
    return (0 if family == _plain(name) else 1, list(KNOWN).index(family), name)


def _preferred(name: str) -> SeriesStyle:
    family = _family(name)
    if family is not None:
        return KNOWN[family]
    digest = zlib.crc32(name.encode())  # unlike hash(), the same in every process
    return SeriesStyle(
        _COLOURS[digest % 6],  # greys are for baselines
        _MARKERS[digest // 6 % len(_MARKERS)],
        _DASHES[digest // 72 % len(_DASHES)],
    )


_Cue = TypeVar("_Cue")


def _free(pool: Sequence[_Cue], preferred: _Cue, taken: Sequence[_Cue]) -> _Cue:
    """The preferred one, or the next of the pool that is not taken; if all are taken, the preferred one."""
    start = pool.index(preferred)
    rotated = [*pool[start:], *pool[:start]]
    return next((cue for cue in rotated if cue not in taken), preferred)
