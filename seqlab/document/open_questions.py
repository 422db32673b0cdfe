"""What would change the answer? The open claims, and those that an hour here would likely decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seqlab.document.content import Chapter, Report
from seqlab.notebook.claims import Outcome, Verdict
from seqlab.notebook.rerun import command

HOUR = 3600.0


@dataclass(frozen=True)
class OpenClaim:
    """A claim without a decision: why, and how to go on."""

    claim: str
    why: str
    rerun: str = ""  # the command that would likely decide it
    seconds: float | None = None  # that it takes here, where that can be told


def open_claims(report: Report) -> tuple[OpenClaim, ...]:
    """Every claim that is inconclusive or not tested, in the ledger's order."""
    chapters = {chapter.name: chapter for chapter in report.chapters}
    found = []
    for claim, combined in report.claims.items():
        if combined.outcome not in (Outcome.INCONCLUSIVE, Outcome.NOT_TESTED):
            continue
        if not combined.verdicts:
            found.append(OpenClaim(claim, "no page tests it"))
            continue
        found.append(_open(claim, combined.open, chapters))
    return tuple(found)


def within_an_hour(questions: Sequence[OpenClaim]) -> tuple[OpenClaim, ...]:
    """Those that an hour here would likely decide together, the quickest first."""
    known = sorted((one for one in questions if one.seconds is not None), key=lambda one: one.seconds or 0.0)
    chosen, left = [], HOUR
    for one in known:
        left -= one.seconds or 0.0
        if left >= 0:
            chosen.append(one)
    return tuple(chosen)


def _open(claim: str, verdicts: Sequence[Verdict], chapters: Mapping[str, Chapter]) -> OpenClaim:
    """The claim by its rule that lacks most: all that are open would have to be decided."""
    needed = [verdict.seeds_needed for verdict in verdicts]
    if all(needed):
        reruns = {verdict.experiment: verdict.n + (verdict.seeds_needed or 0) for verdict in verdicts}
        seconds = sum(
            _cost(chapters[page], seeds, verdicts) for page, seeds in reruns.items() if page in chapters
        )
        most = max(filter(None, needed), default=0)
        page, seeds = next(iter(reruns.items()))
        return OpenClaim(
            claim,
            f"about {most} more seeds would likely decide it",
            command(page, f"--seeds {seeds}"),
            seconds,
        )
    first = next((one for one in verdicts if not one.seeds_needed), verdicts[0])
    return OpenClaim(claim, _reason(first))


def _cost(chapter: Chapter, seeds: int, verdicts: Sequence[Verdict]) -> float:
    """Seconds that the further seeds of a page take, if each takes as long as those so far did."""
    n = max((verdict.n for verdict in verdicts if verdict.experiment == chapter.name), default=0)
    return chapter.seconds * (seeds - n) / n if n else 0.0


def _reason(verdict: Verdict) -> str:
    """The first sentence of the reason, in lower case."""
    text = verdict.reason.partition(". ")[0].rstrip(".")
    return text[:1].lower() + text[1:]
