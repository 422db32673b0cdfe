"""The device's memory: what it reports, what a container leaves of it, and what an attempt may take."""

from pathlib import Path
from types import SimpleNamespace

import mlx.core as mx
import psutil
import pytest

from seqlab.machine import memory as groups
from seqlab.measure.capacity import Capacity, capacity, limited

GIB = 1 << 30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of 16 GiB, 10 of them free, whose container has no limit yet."""
    memory = SimpleNamespace(total=16 * GIB, available=10 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(mx, "device_info", lambda device: {"device_name": "a processor"})
    monkeypatch.setattr(groups, "CGROUPS", tmp_path)
    monkeypatch.setattr(groups, "OF_THIS_PROCESS", tmp_path / "own")
    (tmp_path / "own").write_text("0::/jobs/one\n")
    (tmp_path / "jobs/one").mkdir(parents=True)
    return tmp_path


def test_a_processor_has_the_memory_of_its_machine(machine: Path) -> None:
    assert capacity() == Capacity(16 * GIB, 10 * GIB)
    (machine / "memory.max").write_text("max\n")
    assert capacity() == Capacity(16 * GIB, 10 * GIB)


def test_a_container_may_have_less(machine: Path) -> None:
    (machine / "memory.max").write_text(f"{4 * GIB}\n")
    assert capacity() == Capacity(4 * GIB, 4 * GIB)
    (machine / "memory.current").write_text(f"{3 * GIB}\n")
    assert capacity() == Capacity(4 * GIB, GIB)
    (machine / "jobs/one/memory.max").write_text(f"{2 * GIB}\n")  # as for a job of a batch system
    assert capacity() == Capacity(2 * GIB, GIB)
    for group in (machine, machine / "jobs/one"):
        (group / "memory.max").write_text(f"{64 * GIB}\n")  # more than there is
    assert capacity() == Capacity(16 * GIB, 10 * GIB)


def test_a_discrete_gpu_reports_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "device_info", lambda device: {"total_memory": 80 * GIB, "free_memory": 20 * GIB})
    assert capacity() == Capacity(80 * GIB, 20 * GIB)


def test_a_gpu_that_shares_the_memory_has_what_its_system_recommends(monkeypatch: pytest.MonkeyPatch) -> None:
    metal = {"memory_size": 16 * GIB, "max_recommended_working_set_size": 11 * GIB}
    monkeypatch.setattr(mx, "device_info", lambda device: metal)
    assert capacity() == Capacity(11 * GIB, 10 * GIB)


def test_an_attempt_takes_a_quarter_of_all_and_half_of_what_is_free() -> None:
    assert Capacity(16 * GIB, 10 * GIB).allowed == 4 * GIB
    assert Capacity(16 * GIB, 2 * GIB).allowed == GIB
    assert Capacity(16 * GIB, 0).allowed == 0


def test_the_limit_holds_inside_and_is_put_back() -> None:
    def fail() -> None:
        with limited(123 << 20):
            assert mx.get_memory_limit() == 123 << 20
            raise ZeroDivisionError

    before = mx.get_memory_limit()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert mx.get_memory_limit() == before
