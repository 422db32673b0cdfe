"""Is the precision of products found where a device computes, and left out where it cannot be?"""

import pytest

from seqlab.running import products as module
from seqlab.running.products import found, products


def test_a_processor_needs_no_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "found", lambda kind: pytest.fail("no process is needed"))
    assert products("cpu") == "float32"


def test_a_process_computes_one_and_a_device_that_is_not_there_tells_nothing() -> None:
    assert found("cpu") == "float32"
    assert found("tpu") is None
