"""Which colours do charts have, and by which names does a page's style know them?

The hues are Okabe and Ito's (2008) and Tol's (2021, "muted"), which people with common colour vision
deficiencies can tell apart. Each has a shade for marks and a darker one for text, and two tones for variants.
A file has the shades for white paper; `report/theme/charts.css` has those for a dark page, by the same names.
"""

from typing import NamedTuple

# Nearly the usual ones, so that the numbers in a heat map's cells are not taken for them.
INK, MUTED, RULE, PAPER = "#262627", "#666667", "#8c8c8d", "#fefefe"


class Hue(NamedTuple):
    """A colour as hexadecimal sRGB: of marks, and of text, whose contrast with white is 4.5 (WCAG 2.2)."""

    name: str
    mark: str
    text: str


BLUE, VERMILION, ORANGE = (
    Hue("blue", "#0072b2", "#00659e"),
    Hue("vermilion", "#d55e00", "#a84a00"),
    Hue("orange", "#e69f00", "#8f6200"),
)
PURPLE, SKY, GREEN = (
    Hue("purple", "#cc79a7", "#a03f74"),
    Hue("sky", "#56b4e9", "#1f73a6"),
    Hue("green", "#009e73", "#00704f"),
)
WINE, OLIVE, INDIGO = (
    Hue("wine", "#882255", "#882256"),
    Hue("olive", "#999933", "#6b6b1f"),
    Hue("indigo", "#332288", "#332289"),
)
TEAL, SLATE, GREY = (
    Hue("teal", "#44aa99", "#1f7466"),
    Hue("slate", "#4d4d4d", "#4d4d4e"),
    Hue("grey", "#919191", "#6a6a6a"),
)
HUES = (BLUE, VERMILION, ORANGE, PURPLE, SKY, GREEN, WINE, OLIVE, INDIGO, TEAL, SLATE, GREY)

# Numbers, from few to many: seaborn's "crest" in seven steps.
_CREST = ("#81bc91", "#61aa90", "#48988f", "#33858d", "#20728b", "#1e5d86", "#27477d")
RAMP = tuple(Hue(f"ramp-{step}", mark, "") for step, mark in enumerate(_CREST, start=1))

TONES = {
    "": ("", 1.0),
    "deep": ("#000000", 0.6),
    "pale": ("#ffffff", 0.55),
}  # mixed with, and the hue's share


def mixed(colour: str, other: str, share: float) -> str:
    """`share` of the colour and the rest of the other, in sRGB as CSS's `color-mix`."""
    pairs = zip(*(bytes.fromhex(name[1:]) for name in (colour, other)), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def mark(hue: Hue, tone: str = "") -> str:
    """The colour of marks of a hue in this tone."""
    other, share = TONES[tone]
    return mixed(hue.mark, other, share) if other else hue.mark


def text(hue: Hue, tone: str = "") -> str:
    """The colour of text of a hue in this tone: a pale mark has the text of its hue."""
    if not hue.text:
        return mixed(hue.mark, "#000000", 0.55)
    return mixed(hue.text, "#000000", 0.6) if tone == "deep" else hue.text


# The names of all colours, by their hexadecimal value: of marks, and of text.
NAMED = {
    **{mark(hue, tone): f"{hue.name} {tone}".strip() for hue in HUES for tone in TONES},
    **{hue.mark: hue.name for hue in RAMP},
    INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", "#000000": "ink",
}  # fmt: skip
TEXT_NAMED = {
    **{text(hue, tone): f"{hue.name} {tone}".strip() for hue in HUES for tone in ("deep", "")},
    **{text(hue): hue.name for hue in RAMP},
    INK: "ink", MUTED: "muted",
}  # fmt: skip
