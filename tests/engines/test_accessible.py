"""Can everybody read the report? No rule of axe-core is broken, and no page is wider than its window."""

from pathlib import Path

import pytest

from seqlab.document.weave import weave
from seqlab.engines import pandoc
from tests.document import reports
from tests.engines.axe import CHROMIUM, axe_script, look

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or axe_script() is None, reason="needs Chromium and axe-core (axe-playwright-python)"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything that can be in one, as HTML."""
    folder = tmp_path_factory.mktemp("accessible")
    weave(reports.rich(folder), sources=reports.SOURCES, folder=folder)
    rendered = pandoc.render(folder, formats=("html",))
    assert rendered.html
    return rendered.html


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 390])
def test_no_rule_of_axe_is_broken(page: Path, tmp_path: Path, width: int, dark: bool) -> None:
    found = look(page, tmp_path, width=width, dark=dark)
    assert found.violations == []
    assert found.too_wide <= 0


def test_the_page_never_scrolls_sideways(page: Path, tmp_path: Path) -> None:
    assert look(page, tmp_path, width=320).too_wide <= 0


def test_axe_finds_what_is_wrong(page: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.html"
    wrong.write_text(page.read_text().replace("<main", '<main><p style="color: #999">pale</p', 1))
    assert "color-contrast" in {rule for rule, *_ in look(wrong, tmp_path, width=1300).violations}
