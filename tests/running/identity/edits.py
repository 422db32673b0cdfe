"""Random edits: is a page due whenever its value changes, and never for what only looks different?

`python -m tests.running.identity.edits --edits 500 --seed 1` makes a project, runs its pages and prints how
many edits were stale (the value changed, and nothing was due) and how many needless (due for a cosmetic edit
that left the value). Values come from a process of their own that loads each page and asks nothing of what is
tested.
"""

import argparse
import ast
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from tests.running.identity.lab import Lab
from tests.running.identity.pages import FILES, PAGES

SEQLAB = (  # beside the project's own files
    "seqlab/machine/seeding.py",
    "seqlab/notebook/experiment.py",
    "seqlab/notebook/metrics.py",
)
# Their values are made of docstrings or of source text, so no edit of these is cosmetic.
TEXT_IS_DATA = (
    "commented",
    "docstring",
    "own_docstring",
    "_texts",
    "read_docstring",
    "_executed",
    "executed",
)
EVALUATE = """
import json, sys
from pathlib import Path
from seqlab.machine.seeding import seed_all
from seqlab.notebook.discover import load
from seqlab.notebook.experiment import Trial

found = {}
for path in sorted(Path("experiments").glob("[!_]*.py")):
    try:
        experiment = load(path.absolute())
    except Exception:  # the page is broken, which the command says
        continue
    try:
        seed_all(0)
        trial = Trial(path.stem, {"model": "LSTM"}, 0, "smoke", {})
        found[path.stem] = [repr(one.value) for one in experiment.run(trial)]
    except Exception as error:
        found[path.stem] = [repr(error)[:80]]
print(json.dumps(found))
"""


def values(lab: Lab) -> dict[str, list[str]]:
    """Each page's values now, found without Seqlab's own way of running it."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", EVALUATE], cwd=lab.root, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(lab.root), "PYTHONPYCACHEPREFIX": f"{lab.root}/no cache"},
    )  # fmt: skip
    if done.returncode:  # Seqlab itself cannot be imported: every page has another value
        return {path.stem: [f"nothing: {done.stderr[-80:]}"] for path in lab.pages()}
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def comment(text: str, rng: random.Random) -> str:
    """A comment above a statement."""
    lines, rows = text.split("\n"), [node.lineno for node in ast.parse(text).body]
    lines.insert(rng.choice(rows) - 1, f"# note {rng.random()}")
    return "\n".join(lines)


def trailing_comment(text: str, rng: random.Random) -> str:
    """A comment at the end of the file, and blank lines."""
    return f"{text}\n\n# {rng.random()}\n"


def layout(text: str, rng: random.Random) -> str:
    """Everything written anew: quotes, brackets, line breaks."""
    return ast.unparse(ast.parse(text)) + "\n"


def unused_import(text: str, rng: random.Random) -> str:
    """One more import that nothing uses, after the docstring."""
    body = ast.parse(text).body
    row = next((node.lineno for node in body if not isinstance(node, ast.Expr)), 1)
    added = ["import json", "import math as _math", "from collections import deque", "import numpy as _n",
             "from seqlab.models import gru", "from seqlab.training import rates, loop",
             "from experiments import _behind", "from seqlab.notebook.claims import Claim"]  # fmt: skip
    lines = text.split("\n")
    lines.insert(row - 1, rng.choice(added))
    return "\n".join(lines)


def reordered_imports(text: str, rng: random.Random) -> str:
    """The first block of imports in another order."""
    lines = text.split("\n")
    body = ast.parse(text).body
    first = next((i for i, node in enumerate(body) if isinstance(node, ast.Import | ast.ImportFrom)), None)
    if first is None or " import *" in text:  # a star may bind any name: the order counts
        return comment(text, rng)
    last = first
    while last + 1 < len(body) and isinstance(body[last + 1], ast.Import | ast.ImportFrom):
        last += 1
    block = ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in body[first : last + 1]]
    rng.shuffle(block)
    lines[body[first].lineno - 1 : body[last].end_lineno] = block
    return "\n".join(lines)


def docstring(text: str, rng: random.Random) -> str:
    """Another docstring for a function or class, or for the module."""
    tree = ast.parse(text)
    places = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    lines = text.split("\n")
    if not places or rng.random() < 0.3:
        first = tree.body[0]
        if isinstance(first, ast.Expr) and first.end_lineno:
            lines[first.lineno - 1 : first.end_lineno] = [f'"""Said otherwise {rng.random()}."""']
            return "\n".join(lines)
        return f'"""Said now {rng.random()}."""\n{text}'
    body = rng.choice(places).body[0]
    start = body.lineno - len(getattr(body, "decorator_list", []))
    lines.insert(start - 1, " " * body.col_offset + f'"""Says {rng.random()}."""')
    return "\n".join(lines)


def number(text: str, rng: random.Random) -> str:
    """Another number."""
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant)
        and type(node.value) in (int, float)
        and node.lineno == node.end_lineno
    ]
    if not found:
        return statement(text, rng)
    node, lines = rng.choice(found), text.split("\n")
    line = lines[node.lineno - 1].encode()
    value = repr(node.value + rng.choice((1, 2, 5))).encode()
    lines[node.lineno - 1] = (line[: node.col_offset] + value + line[node.end_col_offset :]).decode()
    return "\n".join(lines)


def word(text: str, rng: random.Random) -> str:
    """Another text in quotes, docstrings included."""
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.lineno == node.end_lineno
    ]
    if not found:
        return number(text, rng)
    node, lines = rng.choice(found), text.split("\n")
    line = lines[node.lineno - 1].encode()
    value = node.value.replace("0.5", "0.7") if "0.5" in node.value else f"{node.value}x"
    lines[node.lineno - 1] = (
        line[: node.col_offset] + repr(value).encode() + line[node.end_col_offset :]
    ).decode()
    return "\n".join(lines)


def statement(text: str, rng: random.Random) -> str:
    """One more statement at the end, which binds a name that others may use."""
    return f"{text}\nLIFT = {rng.random():.3f}\n"


def dropped(text: str, rng: random.Random) -> str:
    """A statement at the top left out."""
    body = ast.parse(text).body
    if len(body) < 2:
        return number(text, rng)
    node, lines = rng.choice(body), text.split("\n")
    del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines)


Edit = Callable[[str, random.Random], str]
COSMETIC: tuple[Edit, ...] = (
    comment, trailing_comment, layout, unused_import, reordered_imports, docstring
)  # fmt: skip
SEMANTIC: tuple[Edit, ...] = (number, number, word, statement, dropped)


@dataclass(frozen=True)
class Seen:
    """What an edit did: which pages' values changed, and which are due."""

    edit: str
    file: str
    cosmetic: bool
    changed: frozenset[str]
    due: frozenset[str]

    @property
    def stale(self) -> frozenset[str]:
        return self.changed - self.due

    @property
    def needless(self) -> frozenset[str]:
        return self.due - self.changed if self.cosmetic else frozenset()


def try_edits(lab: Lab, count: int, seed: int) -> list[Seen]:
    """Make so many edits, one after another, each undone again."""
    rng, before = random.Random(seed), values(lab)
    pages = [f"experiments/{path.name}" for path in lab.pages()]
    files = [*pages, *FILES, *SEQLAB * 3]
    found = list[Seen]()
    while len(found) < count:
        name, cosmetic = rng.choice(files), rng.random() < 0.5
        if cosmetic and (Path(name).stem in TEXT_IS_DATA or not name.endswith(".py")):
            continue
        path = lab.root / name
        text = path.read_text()
        edit = rng.choice(COSMETIC if cosmetic else SEMANTIC)
        try:
            new = edit(text, rng) if name.endswith(".py") else f"{text}\n{rng.randint(1, 9)}"
            compile(new, name, "exec") if name.endswith(".py") else None
        except (SyntaxError, IndexError):
            continue
        if new == text:
            continue
        path.write_text(new)
        try:
            now = values(lab)
            changed = frozenset(page for page in now if now[page] != before[page])
            found.append(Seen(edit.__name__, name, cosmetic, changed, frozenset(lab.changes())))
        finally:
            path.write_text(text)
    return found


def main() -> int:
    """Print what the edits did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder).resolve() / "lab", PAGES, FILES)
        mx.save_safetensors(str(lab.root / "data/lift.safetensors"), {"lift": mx.array(0.5)})
        lab.run()
        seen = try_edits(lab, asked.edits, asked.seed)
    for one in seen:
        if one.stale or one.needless:
            print(f"{one.edit} in {one.file}: stale {sorted(one.stale)}, needless {sorted(one.needless)}")
    kinds = Counter(one.edit for one in seen)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    semantic = [one for one in seen if not one.cosmetic]
    print(f"{len(seen)} edits, {sum(bool(one.changed) for one in seen)} of them changed a value.")
    print(f"Stale: {sum(bool(one.stale) for one in seen)} of {len(semantic)} other than cosmetic ones.")
    print(
        f"Needless: {sum(bool(one.needless) for one in seen)} of {len(seen) - len(semantic)} cosmetic ones."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
