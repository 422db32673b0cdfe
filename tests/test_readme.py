"""Does the README say what is there: the page that it shows, and every page with its question?"""

import ast
import re
import subprocess
from pathlib import Path

from seqlab.notebook.discover import check, load

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_the_page_that_the_readme_shows_is_a_valid_experiment(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(code.splitlines()) <= 40
    page = tmp_path / "layers.py"
    page.write_text(code)
    experiment = load(page)
    check(experiment, frozenset())
    assert experiment.title == "Does a second layer help a minGRU to predict the next character?"
    assert experiment.factor_levels(experiment.budget("smoke")) == {"layers": (1, 2)}


def test_the_table_names_every_page_with_its_question() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", README.read_text(), re.MULTILINE))
    known = subprocess.run(
        ["git", "ls-files", "experiments/*.py"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    # Where there is no git, every page in the table; else every page that is part of the project.
    pages = [ROOT / name for name in known] or [ROOT / "experiments" / f"{name}.py" for name in table]
    for page in pages:
        prose = ast.get_docstring(ast.parse(page.read_text(encoding="utf-8"))) or ""
        assert table.get(page.stem) == prose.splitlines()[0], page.name
