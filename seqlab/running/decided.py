"""How many claims are decided by now? For the order of trials and for the progress shown.

Judging is handed in, since it belongs to the analysis. It takes a moment, in which no trial is started, so a
page is judged when its last trial has ended, and all pages with new runs at most every `EVERY_SECONDS` and
for at most `SHARE` of the time.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from seqlab.errors import SeqlabError

EVERY_SECONDS = 60.0
SHARE = 0.02  # of the time: the most that judging may take, single pages aside

Judge = Callable[[str], Sequence[bool]]  # of a page by its name: which of its claims are decided


class Decided:
    """Which claims are decided. `claims` holds the ids of each page's claims, in the page's order."""

    def __init__(
        self,
        judge: Judge,
        claims: Mapping[str, Sequence[str]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge, self._claims, self._clock = judge, claims, clock
        self.by_page: dict[str, Sequence[bool]] = {}
        self._new = set[str]()
        self._next = clock() + EVERY_SECONDS

    def refresh(self, pages: Iterable[str]) -> None:
        """Judge these pages now. One that cannot be judged keeps its state; the report will say why."""
        begin = self._clock()
        for page in tuple(pages):
            try:
                self.by_page[page] = self._judge(page)
            except SeqlabError:
                continue
            finally:
                self._new.discard(page)
        now = self._clock()
        self._next = max(self._next, now + (now - begin) / SHARE)

    def ended(self, page: str, *, last: bool) -> None:
        """A trial of the page has ended, the last one that is due or not: judge where it is time to."""
        self._new.add(page)
        if last:
            self.refresh([page])
        elif self._clock() >= self._next:
            self._next = self._clock() + EVERY_SECONDS
            self.catch_up()

    def catch_up(self) -> None:
        """Judge every page with runs that were not judged."""
        self.refresh(sorted(self._new))

    def ids(self) -> tuple[set[str], set[str]]:
        """The ids of the decided claims, and of all. A claim is decided where one page decides it."""
        decided = {
            claim
            for page, found in self.by_page.items()
            for claim, is_decided in zip(self._claims[page], found, strict=True)
            if is_decided
        }
        return decided, {claim for found in self._claims.values() for claim in found}

    def text(self) -> str:
        """`14 of 44 claims decided`; empty where there is no claim."""
        decided, every = self.ids()
        return (
            f"{len(decided)} of {len(every)} claim{'s' if len(every) != 1 else ''} decided" if every else ""
        )
