"""A project with a Seqlab of its own, so that both can be edited: run once, then asked what is due."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from seqlab.running.fingerprint import Fingerprints
from seqlab.running.identity.changes import Changes
from seqlab.store.database import Store
from tests.project import HERE, make

PAGE = '''"""Is this page due?"""

from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.metrics import Measurement
{head}

def run(trial):
    yield Measurement("loss", {value})


{rest}
'''
DECLARATION = 'experiment = Experiment(run=run, budgets=(Budget("smoke", grid(model="LSTM")),))'


def page(value: str, head: str = "", rest: str = DECLARATION) -> str:
    """A page of one trial, which yields one value."""
    return PAGE.format(value=value, head=head, rest=rest)


class Lab:
    """The project in `root`, with a copy of the package."""

    def __init__(self, root: Path, pages: Mapping[str, str], files: Mapping[str, str]) -> None:
        self.root, self.package = root, root / "seqlab"
        make(root, **pages)
        shutil.copytree(HERE / "seqlab", self.package, ignore=shutil.ignore_patterns("__pycache__", "data"))
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.fingerprints = Fingerprints(package=self.package)
        self.printed = ""  # by the first run

    def command(self, *arguments: str) -> str:
        """Run a command in the project; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "seqlab", *arguments, "--smoke"],
            cwd=self.root, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(self.root), "SEQLAB_CALIBRATE": "0"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *names: str, force: bool = False) -> str:
        """Run pages, all of them where none is named."""
        names = names or tuple(path.stem for path in self.pages())
        return self.command("run", *names, *(["--force"] if force else []))

    def pages(self) -> list[Path]:
        """The files of the pages."""
        return [path for path in sorted((self.root / "experiments").glob("*.py")) if path.stem[0] != "_"]

    def changes(self) -> dict[str, str]:
        """For each page of which no run is current, what changed."""
        found = {}
        with Store(self.root / "results/seqlab.db") as store:
            files = self.fingerprints.files(self.root / "experiments/any.py")
            for path in self.pages():
                name, records = path.stem, store.records(path.stem)
                since = Changes(files, f"experiments/{name}.py", "", store.used(name))
                if all(map(since, records)):
                    found[name] = since(records[-1]) if records else "never run"
        return found

    def values(self) -> dict[str, list[float]]:
        """The values of each page's latest run."""
        with Store(self.root / "results/seqlab.db") as store:
            rows = store.rows(
                "SELECT experiment, value FROM measurement JOIN run ON run.id = run WHERE run IN "
                "(SELECT max(id) FROM run GROUP BY experiment) ORDER BY measurement.rowid"
            )
        found: dict[str, list[float]] = {}
        for name, value in rows:
            found.setdefault(name, []).append(value)
        return found

    @contextmanager
    def edited(self, name: str, old: str, new: str) -> Iterator[None]:
        """With a text of a file replaced by another; a file that is not there is written, and removed."""
        path = self.root / name
        before = path.read_text() if path.exists() else None
        assert old in (before or ""), f"{old!r} is not in {name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(new if before is None else before.replace(old, new))
        try:
            yield
        finally:
            path.unlink() if before is None else path.write_text(before)
