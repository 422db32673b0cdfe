"""Is a page due whenever an edit changes its value, and never for what only looks different?

The values come from a process of their own that loads each page and asks nothing of what is tested.
Which pages are due is asked of planning alone, so that an edit takes a fraction of a second.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

import mlx.core as mx

from tests.faults.campaign import Campaign, Case
from tests.faults.rewriting import COSMETIC, SEMANTIC
from tests.running.identity.lab import Lab
from tests.running.identity.pages import FILES, PAGES

SEQLAB = (  # beside the project's own files
    "seqlab/machine/seeding.py",
    "seqlab/notebook/experiment.py",
    "seqlab/notebook/metrics.py",
)
# Their values are made of docstrings or of source text, so no edit of these is cosmetic.
TEXT_IS_DATA = {
    "commented", "docstring", "own_docstring", "_texts", "read_docstring", "_executed", "executed",
}  # fmt: skip
# A process that has what pages import from elsewhere, and loads them in a fork for each line that it reads.
EVALUATE = """
import json, os, sys, importlib.metadata
from pathlib import Path
import mlx.core, numpy

def values():
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
    return found

for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            found = json.dumps(values())
        except BaseException as error:  # Seqlab itself cannot be imported
            found = json.dumps(None)
        os.write(1, found.encode() + b"\\n")
        os._exit(0)
    os.waitpid(child, 0)
"""


class Edits(Campaign):
    """One edit after another, each undone again."""

    COUNT: ClassVar[int] = 500

    def prepare(self) -> None:
        """Make the project and run each of its pages once."""
        lab = Lab(self.folder / "lab", PAGES, FILES)
        mx.save_safetensors(str(lab.root / "data/lift.safetensors"), {"lift": mx.array(0.5)})
        lab.run()
        self._begin(lab)

    @classmethod
    def of(cls, lab: Lab) -> Self:
        """Edits of a project whose pages have run."""
        made = cls.__new__(cls)
        made._begin(lab)
        return made

    def _begin(self, lab: Lab) -> None:
        self.lab = lab
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-c", EVALUATE], cwd=lab.root, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(lab.root), "PYTHONPYCACHEPREFIX": f"{lab.root}/no cache"},
        )  # fmt: skip
        self.before = self.values()
        assert self.before.keys() == PAGES.keys()

    def end(self) -> None:
        """End the process that loads pages."""
        self._process.communicate()

    def values(self) -> dict[str, list[str]]:
        """Each page's values now, found without Seqlab's own way of running it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("values\n")
        self._process.stdin.flush()
        found: dict[str, list[str]] | None = json.loads(self._process.stdout.readline())
        return {page: ["nothing"] for page in PAGES} if found is None else found

    def case(self, number: int, rng: random.Random) -> Case:
        """Make one edit."""
        name, cosmetic, said, new = self._edit(rng)
        with written(self.lab.root / name, new):
            now = self.before if cosmetic else self.values()
            changed = {page for page in now if now[page] != self.before[page]}
            due = set(self.lab.changes())
        wrong = [f"stale: {', '.join(sorted(changed - due))}"] if changed - due else []
        if cosmetic and due:
            wrong.append(f"needless: {', '.join(sorted(due))}")
        counts = {"cosmetic": cosmetic, "changed a value": bool(changed)}
        return Case(f"{said} in {name}", wrong, counts)

    def _edit(self, rng: random.Random) -> tuple[str, bool, str, bytes]:
        """An edit that changes the text of a file and leaves it Python: file, cosmetic, kind, new content."""
        pages = [f"experiments/{path.name}" for path in self.lab.pages()]
        files = [*pages, *FILES, *SEQLAB * 3]
        while True:
            name, cosmetic = rng.choice(files), rng.random() < 0.5
            text, is_code = (self.lab.root / name).read_text(), name.endswith(".py")
            if cosmetic and Path(name).stem in TEXT_IS_DATA:
                continue
            if not is_code:
                if cosmetic:
                    return name, True, "same_again", text.encode()
                return name, False, "data", f"{text}\n{rng.randint(1, 9)}".encode()
            edit = rng.choice(COSMETIC if cosmetic else SEMANTIC)
            try:
                new = edit(text, rng)
                compile(new.encode(), name, "exec")
            except (SyntaxError, IndexError):
                continue
            if new != text or edit.__name__ == "same_again":
                return name, cosmetic, edit.__name__, new.encode()


@contextmanager
def written(path: Path, new: bytes) -> Iterator[None]:
    """With other content in the file."""
    before = path.read_bytes()
    path.write_bytes(new)
    try:
        yield
    finally:
        path.write_bytes(before)
