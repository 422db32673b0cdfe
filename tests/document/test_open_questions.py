"""Does the report say what is open, and only promise what an hour here would likely decide?"""

from dataclasses import replace
from pathlib import Path

from seqlab.document.content import Chapter, Report
from seqlab.document.open_questions import open_claims, within_an_hour
from seqlab.notebook.claims import Outcome
from tests.document.reports import DIFFERENCE, cell, empty, verdict


def report(*chapters: Chapter) -> Report:
    ledger = {claim: empty().ledger[claim] for claim in ("C01", "C06", "C33")}
    return replace(empty(), ledger=ledger, chapters=chapters)


def chapter(claim: str, page: str, *, seconds: float, needed: int | None) -> Chapter:
    found = verdict(
        claim, Outcome.INCONCLUSIVE, DIFFERENCE, cell(1, "open"), experiment=page, seeds_needed=needed
    )
    return Chapter(
        name=page, title=page, rerun=f"nox -s {page}", source="x.py", verdicts=(found,), seconds=seconds
    )


def test_an_hour_decides_what_needs_less_than_an_hour() -> None:
    quick, long = (
        chapter("C01", "rnn", seconds=600, needed=5),
        chapter("C06", "vit", seconds=40_000, needed=5),
    )
    first, second, untested = open_claims(report(quick, long))
    assert (first.claim, first.rerun, first.seconds) == ("C01", "nox -s rnn -- --seeds 10", 600.0)
    assert (untested.claim, untested.why, untested.seconds) == ("C33", "no page tests it", None)
    assert within_an_hour([first, second, untested]) == (first,)


def test_a_claim_that_seeds_do_not_decide_says_why() -> None:
    (found, *_) = open_claims(report(chapter("C01", "rnn", seconds=1, needed=None)))
    assert (found.why, found.rerun) == ("the reason for C01", "")


def test_a_decided_claim_is_not_open(tmp_path: Path) -> None:
    done = chapter("C01", "rnn", seconds=1, needed=None)
    done = replace(done, verdicts=(replace(done.verdicts[0], outcome=Outcome.SUPPORTED),))
    assert "C01" not in {one.claim for one in open_claims(report(done))}
