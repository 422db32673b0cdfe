"""Which colour, marker and line does a level have, in all charts alike?

A model has one colour and one marker wherever it is drawn; its variants have a tone of the same colour, and
a broken line. The Transformer's line is the heaviest. Grey is for baselines that learn nothing. Colour is
never the only cue: the levels of a chart differ in their markers, too, and have their names beside them.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from seqlab.charts import colours
from seqlab.charts.colours import (
    BLUE,
    GREEN,
    GREY,
    INDIGO,
    OLIVE,
    ORANGE,
    PURPLE,
    RAMP,
    SKY,
    SLATE,
    TEAL,
    VERMILION,
    WINE,
    Hue,
)
from seqlab.charts.words import is_numeric
from seqlab.notebook.figures import Level

Dash = tuple[float, ...]  # on, off, … in line widths; empty for a solid line
SOLID, LONG, SHORT, DOTS = (), (5.0, 1.6), (2.6, 1.3), (1.0, 1.3)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "<", ">", "*")


@dataclass(frozen=True)
class SeriesStyle:
    """The look of one level: its hue and tone, marker, and its line's dash and width in points."""

    hue: Hue
    marker: str
    tone: str = ""
    dash: Dash = SOLID
    width: float = 1.5

    @property
    def colour(self) -> str:
        """The colour of marks."""
        return colours.mark(self.hue, self.tone)

    @property
    def ink(self) -> str:
        """The colour of text."""
        return colours.text(self.hue, self.tone)

    @property
    def linestyle(self) -> Literal["-"] | tuple[float, Dash]:
        """The dash as matplotlib takes it."""
        return (0.0, self.dash) if self.dash else "-"


_ATTENTION = SeriesStyle(BLUE, "o", width=2.2)
_LSTM, _CONVOLUTION, _MINGRU = SeriesStyle(VERMILION, "s"), SeriesStyle(GREEN, "v"), SeriesStyle(SKY, "P")
# Names are compared without case and punctuation. What is not here, but begins or contains a name of it, is a
# variant of that one.
KNOWN: dict[str, SeriesStyle] = {
    "transformer": _ATTENTION,
    "transformerdecoder": _ATTENTION,
    "encoder": _ATTENTION,
    "vit": _ATTENTION,
    "lstm": _LSTM,
    "bilstm": _LSTM,
    "gru": SeriesStyle(ORANGE, "D"),
    "rnn": SeriesStyle(PURPLE, "^"),
    "mingru": _MINGRU,
    "minlstm": SeriesStyle(TEAL, "h"),
    "lru": SeriesStyle(WINE, "X"),
    "linearattention": SeriesStyle(OLIVE, "p"),
    "tcn": _CONVOLUTION,
    "cnn": _CONVOLUTION,
    "itransformer": SeriesStyle(INDIGO, "<"),
    "dlinear": SeriesStyle(OLIVE, ">"),
    "transformernocache": SeriesStyle(BLUE, "<", "pale", SHORT),
    "transformernopositions": SeriesStyle(BLUE, "<", "pale", SHORT),
    "transformersinusoids": SeriesStyle(BLUE, "o", "", SOLID),
    "transformerrope": SeriesStyle(BLUE, "h", "deep", LONG),
    "transformeralibi": SeriesStyle(TEAL, "D", "", SHORT),
    "vitconvolutionalstem": SeriesStyle(BLUE, "h", "deep", SHORT),
    "lstmattention": SeriesStyle(VERMILION, "*", "deep", SHORT),
    "lstmforgetbias0": SeriesStyle(VERMILION, "<", "pale", SHORT),
    "lstmforgetbias1": _LSTM,
    "lstmforgetbias3": SeriesStyle(VERMILION, ">", "deep", LONG),
    "mingruchunks": _MINGRU,
    "mingrutree": SeriesStyle(SKY, "*", "deep", SHORT),
    "truth": SeriesStyle(GREY, "*", "pale", width=4.0),
    "logisticregression": SeriesStyle(SLATE, "X", dash=SHORT),
    "leastsquares": SeriesStyle(SLATE, "^", dash=LONG),
    "seasonalnaive": SeriesStyle(SLATE, "D", "pale", SHORT),
    "repeatlast": SeriesStyle(GREY, "p", dash=DOTS),
    "stlar": SeriesStyle(GREY, "h", "deep", LONG),
    "1gram": SeriesStyle(GREY, ">", dash=DOTS),
    "2gram": SeriesStyle(GREY, "<", dash=SHORT),
    "3gram": SeriesStyle(GREY, "h", dash=LONG),
    "4gram": SeriesStyle(SLATE, "^", dash=DOTS),
    "5gram": SeriesStyle(SLATE, "X", dash=SHORT),
    "6gram": SeriesStyle(SLATE, "D", dash=LONG),
    "8gramcache": SeriesStyle(SLATE, "p"),
    "ngramofeachvoice": SeriesStyle(SLATE, "*"),
    "ngramsofallvoices": SeriesStyle(SLATE, "p"),
    "naminganyvalueshown": SeriesStyle(GREY, "h", dash=DOTS),
    "countsofstates": SeriesStyle(GREY, "X", dash=DOTS),
    "countsofpairs": SeriesStyle(SLATE, "D", dash=SHORT),
}
_BASELINE = re.compile(r"gram|counts|naming|naive|always|shuffled|guess", re.IGNORECASE)
_OTHERS = (INDIGO, TEAL, WINE, OLIVE, SLATE, GREY)  # for what is no model


def series_styles(levels: Sequence[Level]) -> dict[Level, SeriesStyle]:
    """A style for each level, the same in every chart; no two levels of a chart share hue, tone and marker.

    A name that is not known gets its style by hash, or the next free hue and marker where another level of
    the chart has them. Numbers go from light to dark, by rank.
    """
    if levels and is_numeric(levels):
        return _ramp(levels)
    styles: dict[Level, SeriesStyle] = {}
    for level in sorted(levels, key=_priority):
        known = _known(str(level))
        style = known or _by_hash(str(level), levels)
        if not known:
            taken = [other.hue for other in styles.values()] if not style.dash else []
            style = replace(style, hue=_free(_OTHERS, style.hue, taken))
        marker = _free(_MARKERS, style.marker, [other.marker for other in styles.values()])
        styles[level] = replace(style, marker=marker)
    return {level: styles[level] for level in levels}


def _priority(level: Level) -> tuple[bool, bool, str]:
    """Known names first, then their variants, then others: what comes later gives way."""
    name = str(level)
    return _known(name) is None, _plain(name) not in KNOWN, name


_Cue = TypeVar("_Cue")


def _free(pool: Sequence[_Cue], preferred: _Cue, taken: Sequence[_Cue]) -> _Cue:
    """The preferred one, or the next of the pool that is not taken; if all are taken, the preferred one."""
    start = pool.index(preferred)
    rotated = [*pool[start:], *pool[:start]]
    return next((cue for cue in rotated if cue not in taken), preferred)


def _ramp(levels: Sequence[Level]) -> dict[Level, SeriesStyle]:
    ranked, last = sorted(levels, key=float), max(1, len(levels) - 1)
    steps = {level: round(rank * (len(RAMP) - 1) / last) for rank, level in enumerate(ranked)}
    return {
        level: SeriesStyle(RAMP[steps[level]], _MARKERS[ranked.index(level) % len(_MARKERS)])
        for level in levels
    }


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _known(name: str) -> SeriesStyle | None:
    """The style of a known name, or of a variant of one; else None."""
    if (same := KNOWN.get(_plain(name))) is not None:
        return same
    parts = [name.partition(",")[0], *name.replace(",", " ").split()]
    family = next((KNOWN[_plain(part)] for part in parts if _plain(part) in KNOWN), None)
    if family is None:
        return None
    digest = _digest(name)
    tone, dash = (("deep", LONG), ("pale", SHORT), ("deep", SHORT), ("pale", LONG))[digest % 4]
    return SeriesStyle(family.hue, _MARKERS[digest // 4 % len(_MARKERS)], tone, dash)


def _by_hash(name: str, levels: Sequence[Level]) -> SeriesStyle:
    """The style of what is no known model: grey for a baseline, or for anything beside known models."""
    digest = _digest(name)
    marker = _MARKERS[digest // 8 % len(_MARKERS)]
    if _BASELINE.search(name) or any(_known(str(level)) for level in levels):
        return SeriesStyle((SLATE, GREY)[digest % 2], marker, dash=(LONG, SHORT, DOTS)[digest // 2 % 3])
    return SeriesStyle(_OTHERS[digest % 4], marker)


def _digest(name: str) -> int:
    return zlib.crc32(name.encode())  # unlike hash(), the same in every process
