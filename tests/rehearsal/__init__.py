"""What Metal would refuse, tried without a Mac: all pages run on a CPU that says no as Metal does."""

import os
import sys
from pathlib import Path

SITE = Path(__file__).parent / "site"


def rehearsed() -> dict[str, str]:
    """The environment of a process whose MLX refuses what Metal does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(SITE), *filter(None, sys.path)])}
