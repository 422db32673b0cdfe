"""Is the order of the report read as it is written, and does nothing fall out of it?"""

from pathlib import Path

import pytest

from seqlab.document.outline import Outline, Part, read
from seqlab.errors import RenderError


def test_what_no_part_names_stands_last_and_what_is_not_there_is_left_out() -> None:
    outline = Outline((Part("One", "?", ("C01", "C02"), {"rnn": "Short"}),))
    first, last = outline.complete(["C02", "C99"], ["rnn", "mine"])
    assert (first.claims, dict(first.chapters)) == (("C02",), {"rnn": "Short"})
    assert (last.claims, dict(last.chapters)) == (("C99",), {"mine": ""})
    assert outline.complete([], []) == ()


def test_a_folder_without_an_outline_has_an_empty_one(tmp_path: Path) -> None:
    assert read(tmp_path) == Outline()


@pytest.mark.parametrize(
    "text", ["[[part]\n", "[[part]]\ntitle = 'One'\n", "[forest]\nText = 3\n", "[[property]]\nname = 'x'\n"]
)
def test_a_broken_outline_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "outline.toml").write_text(text)
    with pytest.raises(RenderError, match=r"outline\.toml"):
        read(tmp_path)
