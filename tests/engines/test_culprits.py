"""Are the chapters found that cannot be rendered, and no others?"""

from collections.abc import Sequence

from seqlab.engines.culprits import culprits

NAMES = [f"page{number}" for number in range(20)]


def test_each_chapter_to_blame_is_found_with_few_renderings() -> None:
    tried = []

    def renders(shown: Sequence[str]) -> bool:
        tried.append(shown)
        return not {"page3", "page17"} & set(shown)

    assert culprits(NAMES, renders) == ["page3", "page17"]
    assert len(tried) <= 20


def test_of_two_that_fail_together_one_is_left_out() -> None:
    assert culprits(NAMES, lambda shown: not {"page3", "page4"} <= set(shown)) == ["page4"]


def test_a_fault_elsewhere_is_no_chapters() -> None:
    assert culprits(NAMES, lambda shown: False) == []
