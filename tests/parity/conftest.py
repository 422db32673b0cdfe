"""Without PyTorch nothing here may pass, or be skipped: it is what all of this is compared to."""

import pytest

from tests.pytorch_folder import add_to_path

if not add_to_path():
    raise pytest.UsageError("PyTorch is not here. `nox -s parity` installs it and runs these tests.")
