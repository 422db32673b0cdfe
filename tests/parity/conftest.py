"""Without PyTorch these tests fail instead of being skipped: they compare models with PyTorch's."""

import pytest

from tests.pytorch_folder import add_to_path

if not add_to_path():
    raise pytest.UsageError("PyTorch is not here. `nox -s parity` installs it and runs these tests.")
