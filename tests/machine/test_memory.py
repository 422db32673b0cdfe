"""Does the memory limit keep to what a container may take?"""

from pathlib import Path

import psutil
import pytest

from seqlab.machine import memory

ALL = int(psutil.virtual_memory().total)


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "1000000000\n"}, 1_000_000_000),  # a container with a view of its own
        ("0::/a/b\n", {"a/memory.max": "2000000000", "a/b/memory.max": "max"}, 2_000_000_000),
        ("0::/a/b\n", {"memory.max": "max"}, ALL),
        ("5:memory:/docker/x\n0::/\n", {"memory/memory.limit_in_bytes": "3000000000"}, 3_000_000_000),
        ("5:cpu:/docker/x\n", {"memory.max": "1000"}, ALL),
        ("0::/\n", {"memory.max": str(2**62)}, ALL),
        ("no such line\n", {}, ALL),
    ],
)
def test_the_smallest_limit_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, limits: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "OF_THIS_PROCESS", tmp_path / "own")
    (tmp_path / "own").write_text(groups)
    for name, limit in limits.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(limit)
    assert memory.total_memory() == min(ALL, expected)
    assert memory.memory_limit(0.5) == min(ALL, expected) // 2


def test_elsewhere_it_is_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "OF_THIS_PROCESS", tmp_path / "absent")
    assert memory.total_memory() == ALL
