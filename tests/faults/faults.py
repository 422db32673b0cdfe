"""Is a report rendered whatever a page or a trial does wrong?

It must name the failure, and the page's claim must not be supported. Beside the faulty page stands a calm
one, which must come out whole and keep its verdict.
"""

import html
import random
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from tests.faults import injected
from tests.faults.campaign import Campaign, Case
from tests.faults.commands import Done, seqlab
from tests.faults.injected import InPage, InTrial
from tests.faults.kills import whole_documents
from tests.project import CALM, make

FAULTS: tuple[InTrial | InPage, ...] = (
    *injected.RAISED,
    *injected.VALUES,
    *injected.FIGURES,
    *injected.ENDED,
    *injected.ARTIFACTS,
    *injected.PAGES,
    *injected.HANGS,
    *injected.MEMORY,
    *injected.PRINTED,
    *injected.SURROUNDINGS,
    *injected.PROSE,
)
# With room for a loaded machine: a page is read within it too.
TIMEOUT, MEMORY = "30", "0.8"  # seconds, GiB
WHERE = {
    "in every trial": "True",
    "of one network": "trial['model'] == 'LSTM'",
    "of one seed": "trial.seed == 1",
    "in one trial": "trial.seed == 1 and trial['model'] == 'LSTM'",
}
FAULTY = (
    CALM.replace("C38", "C41")
    .replace("calm page calm", "faulty page faulty")
    .replace("Two models, a made score, no training.", "A made score, as faulty")
    .replace(
        "import Interval, Table",
        "import Attachment, Curve, ImageGrid, Interval, Table, TextSamples, Tradeoff",
    )
    .replace("\n\nLIFT", "\nfrom seqlab.notebook.artifacts import Artifact, Panel\n\nLIFT", 1)
)
HOLDS = ("supported", "with conditions", "no relevant difference")


class Faults(Campaign):
    """One fault after another, each in another place."""

    COUNT: ClassVar[int] = len(FAULTS)

    def prepare(self) -> None:
        """Run both pages without a fault: their claims hold."""
        self.root = make(self.folder / "project", calm=CALM, faulty=FAULTY)
        done = self._report()
        assert done.status == 0, done.errors
        assert [self.outcome(name) for name in ("calm", "faulty")] == ["supported"] * 2
        shutil.rmtree(self.root / "results")
        done = seqlab("run", "calm", "--root", str(self.root), folder=self.folder)
        assert done.status == 0, done.errors
        self.kept = (self.root / "results").rename(self.folder / "kept")

    def case(self, number: int, rng: random.Random) -> Case:
        """Put a fault into the page and report."""
        fault = FAULTS[number % len(FAULTS)]
        where = rng.choice(list(WHERE)) if isinstance(fault, InTrial) and not fault.once else "in one trial"
        first = rng.random() < 0.5  # before the measurement
        results = self.root / "results"
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(self.kept, results)
        (self.root / "experiments" / "faulty.py").write_text(faulty(fault, where, first=first))
        done = self._report()
        wrong = done.wrong(0, 1)
        if done.status in (0, 1):
            wrong += self._shown(fault, done)
        place = (
            f"{where}, {'before' if first else 'after'} it measures" if isinstance(fault, InTrial) else "page"
        )
        return Case(f"{(fault.code if isinstance(fault, InTrial) else fault.new)[:90]!r} ({place})", wrong)

    def _report(self) -> Done:
        return seqlab(
            "report", "--engine", "embedded", "--root", str(self.root), "--jobs", "1", "--timeout", TIMEOUT,
            "--memory", MEMORY, folder=self.folder,
        )  # fmt: skip

    def _shown(self, fault: InTrial | InPage, done: Done) -> list[str]:
        """What of the report is not as it should be."""
        if wrong := whole_documents(self.root / "results"):
            return wrong
        shown = seen(self.root / "results" / "report.html")
        told = " ".join(done.errors.split())
        alternative = (self.root / "results" / "report.html").read_text(encoding="utf-8")  # of pictures
        if fault.named not in shown and fault.named not in told and fault.named not in alternative:
            wrong.append(f"the report does not name it ({fault.named!r})")
        if "faulty" not in shown:
            wrong.append("the page is not in the report")
        if "Accuracy of both." not in shown or self.outcome("calm") != "supported":
            wrong.append("the other page did not come out as before")
        harmless = fault.harmless if isinstance(fault, InTrial) else fault.shown
        if harmless and self.outcome("faulty") != "supported":
            wrong.append(f"it is harmless, but the claim is {self.outcome('faulty')}: {told[-300:]}")
        if not harmless and self.outcome("faulty") in HOLDS:
            wrong.append(f"its claim is {self.outcome('faulty')}")
        if not harmless and done.status == 0 and fault.named:
            wrong.append("exit 0")
        return wrong

    def outcome(self, page: str) -> str:
        """The page's last verdict; empty where none was given."""
        with closing(sqlite3.connect(self.root / "results" / "seqlab.db")) as store:
            query = "SELECT outcome FROM verdict WHERE experiment = ? ORDER BY id DESC LIMIT 1"
            row = store.execute(query, (page,)).fetchone()
        return row[0] if row else ""


def faulty(fault: InTrial | InPage, where: str, *, first: bool) -> str:
    """The page with the fault in it."""
    if isinstance(fault, InPage):
        assert fault.old in FAULTY, fault.old
        return FAULTY.replace(fault.old, fault.new)
    code = f"    if {WHERE[where]}:\n        {fault.code}\n"
    if first:
        return FAULTY.replace("    lift = LIFT if", f"{code}    lift = LIFT if")
    return FAULTY.replace("\n\nexperiment =", f"{code}\n\nexperiment =", 1)


def seen(path: Path) -> str:
    """What a reader of the HTML sees, in one line."""
    text = re.sub(r"<(style|script)\b.*?</\1>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())
