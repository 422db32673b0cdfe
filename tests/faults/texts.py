"""Which texts are hostile? Pieces of every script, control characters, markup of each language on the way."""

import random

PIECES = {
    "controls": [
        chr(number) for number in (*range(1, 9), 11, 12, *range(14, 32), 127, 133, 0x2028, 0x2029, 0x0)
    ],
    "directions": ["\u202e", "\u2066", "\u200f", "\u202a\u202a", "עברית", "العربية", "\u061c"],
    "combining": ["e" + "\u0301" * 60, "\u0301", "\u20dd", "a\u0338\u0338", "\ufe0f", "\u200d"],
    "emoji": ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "1️⃣", "🫠", "🇪🇺"],
    "scripts": ["漢字", "한글", "ไทย", "हिन्दी", "ქართული", "ᚠᚢᚦ", "𒀀", "𓀀", "𝔐𝕠", "ﷺ", "ǅ"],
    "surrogates": ["\ud800", "\udfff", "\udcff\ud83d"],
    "no characters": ["\ufffe", "\uffff", "\U0010ffff", "\ue000", "\U000f0000", "\ufeff", "\u00ad"],
    "spaces": ["\u00a0", "\u200b", "\u2003", "\t", "   ", "\n\n", "\r\n", "\r", "\u3000"],
    "typst": [
        "#panic()",
        "#let x = 1;",
        "$x^2",
        "@label",
        "<label>",
        "*a",
        "_a",
        "`raw",
        "= Head",
        "/*",
        "//",
        "\\u{1f600}",
    ],
    "markdown": [
        "**",
        "_",
        "`",
        "```",
        "[a](b",
        "![",
        "| a | b |",
        "# h",
        "> q",
        ":::",
        "~~~",
        "^[n]",
        "[^1]",
        "$$",
        "---",
    ],
    "html": [
        "<script>alert(1)</script>",
        "<!--",
        "</div>",
        "&amp;",
        "&#0;",
        "<b",
        "]]>",
        "</title>",
        "' onx='",
    ],
    "others": [
        "{{< include /etc/passwd >}}",
        "{{ 1 + 1 }}",
        "{% raw %}",
        "\\input{x}",
        "\\frac{",
        "%",
        "[bold]",
        "[/]",
    ],
    "terminal": ["\x1b[31m", "\x1b]0;title\x07", "\x9b31m", "\x08\x08"],
    "long": ["w" * 300, "W" * 900, "- " * 200, "(" * 200, "a\u200b" * 300, "漢" * 300],
    "paths": ["../../etc/passwd", "C:\\nul", "a/b", "~", "$HOME", "%s%n", "a b", ".", "-rf"],
}


def hostile(rng: random.Random, marker: str) -> str:
    """Some pieces of one or two kinds, with a word that must be found again."""
    kinds = rng.sample(list(PIECES), rng.randint(1, 2))
    pieces = [rng.choice(PIECES[kind]) for kind in kinds for _ in range(rng.randint(1, 3))]
    pieces.insert(rng.randint(0, len(pieces)), f" {marker} ")
    return "".join(pieces)
