"""Do the lab and the desk stay apart once imported? Import-linter cannot see what packages import."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORT_ALL = """
import importlib, pkgutil, sys
from pathlib import Path
from seqlab.notebook.discover import load
for name in {packages!r}:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        importlib.import_module(found.name)
for page in {pages!r}:
    load(Path(page))
print(*sys.modules)
"""
LAB = [f"seqlab.{name}" for name in ("models", "tasks", "measure", "training", "running", "pipeline")]
DESK = [f"seqlab.{name}" for name in ("analysis", "charts", "document", "engines", "store")]
VOCABULARY = [f"seqlab.{name}" for name in ("errors", "notebook")]


def modules(code: str) -> set[str]:
    """The names of all modules that a fresh Python holds after running the code, which prints them."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def imported(packages: list[str], pages: list[str]) -> set[str]:
    """The modules that all of these packages and pages bring."""
    return modules(IMPORT_ALL.format(packages=packages, pages=pages))


def test_measuring_and_planning_load_no_part_of_the_desk() -> None:
    pages = [str(path) for path in sorted((ROOT / "experiments").glob("[!_]*.py"))]
    assert pages
    assert {"pandas", "matplotlib", "seaborn", "distributed"} & imported(LAB, pages) == set()


def test_judging_and_drawing_never_load_mlx() -> None:
    assert "mlx" not in {name.partition(".")[0] for name in imported(DESK, [])}


def test_the_vocabulary_loads_the_standard_library_only() -> None:
    loaded = imported(VOCABULARY, []) - modules("import sys; print(*sys.modules)")
    assert set(VOCABULARY) <= loaded
    assert {name.partition(".")[0] for name in loaded} <= sys.stdlib_module_names | {"seqlab"}
