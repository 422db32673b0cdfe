"""Does the README's own experiment load as a page, as short as it promises?"""

import re
from pathlib import Path

from seqlab.notebook.discover import check, load

README = Path(__file__).parents[1] / "README.md"


def test_the_page_that_the_readme_shows_is_a_valid_experiment(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(code.splitlines()) <= 40
    page = tmp_path / "layers.py"
    page.write_text(code)
    experiment = load(page)
    check(experiment, frozenset())
    assert experiment.title == "Does a second layer help a minGRU to predict the next character?"
    assert experiment.factor_levels(experiment.budget("smoke")) == {"layers": (1, 2)}
