"""The project that is edited: its pages run once, for all tests."""

import mlx.core as mx
import pytest

from tests.running.identity.lab import Lab
from tests.running.identity.pages import FILES, PAGES


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The project, with each page run once."""
    made = Lab(tmp_path_factory.mktemp("lab"), PAGES, FILES)
    mx.save_safetensors(str(made.root / "data/lift.safetensors"), {"lift": mx.array(0.5)})
    made.printed = made.run()
    return made
