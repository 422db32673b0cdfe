"""Are decided claims counted as they are, without spending the time on judging?"""

from seqlab.errors import UsageError
from seqlab.running.decided import EVERY_SECONDS, SHARE, Decided
from tests.running.limited import Clock


class Judged:
    """Says what it is told to, and how often it was asked."""

    def __init__(self, clock: Clock, seconds: float = 0.0) -> None:
        self.clock, self.seconds = clock, seconds
        self.found: dict[str, list[bool]] = {"a": [False, False], "b": [False]}
        self.asked: list[str] = []

    def __call__(self, page: str) -> list[bool]:
        self.asked.append(page)
        self.clock.now += self.seconds
        return self.found[page]


CLAIMS = {"a": ["C01", "C02"], "b": ["C02"]}


def test_a_claim_of_two_pages_is_decided_by_either() -> None:
    judged = Judged(Clock())
    decided = Decided(judged, CLAIMS, clock=judged.clock)
    assert decided.text() == "0 of 2 claims decided"
    judged.found["b"] = [True]
    decided.refresh(["a", "b"])
    assert decided.text() == "1 of 2 claims decided"
    judged.found["a"] = [True, True]
    decided.refresh(["a"])
    assert decided.text() == "2 of 2 claims decided"
    assert decided.by_page == {"a": [True, True], "b": [True]}


def test_a_page_is_judged_at_its_end_and_all_that_are_new_now_and_then() -> None:
    judged = Judged(clock := Clock())
    decided = Decided(judged, CLAIMS, clock=clock)
    decided.ended("a", last=False)
    assert judged.asked == []
    decided.ended("b", last=True)
    assert judged.asked == ["b"]
    clock.now += EVERY_SECONDS
    decided.ended("a", last=False)
    decided.ended("a", last=False)
    assert judged.asked == ["b", "a"]
    decided.catch_up()
    assert judged.asked == ["b", "a", "a"]


def test_judging_that_takes_long_is_rare() -> None:
    judged = Judged(clock := Clock(), seconds=10.0)
    decided = Decided(judged, CLAIMS, clock=clock)
    for _ in range(5_000):
        clock.now += 1.0
        decided.ended("a", last=False)
    assert 2 <= len(judged.asked) <= 5_000 * SHARE / 10.0 + 1


def test_a_page_that_cannot_be_judged_stops_nothing() -> None:
    def refuses(page: str) -> list[bool]:
        raise UsageError(f"{page} has a rule that cannot be judged.")

    decided = Decided(refuses, CLAIMS, clock=Clock())
    decided.ended("a", last=True)
    assert decided.text() == "0 of 2 claims decided"


def test_without_claims_nothing_is_said() -> None:
    assert Decided(lambda _: [], {"a": []}, clock=Clock()).text() == ""
