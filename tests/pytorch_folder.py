"""Where does PyTorch lie, which only the parity tests and the benchmarks look at?"""

import os
import sys
from importlib.util import find_spec


def add_to_path() -> bool:
    """Whether PyTorch can be imported from here on. `SEQLAB_TORCH` names the folder that Nox fills.

    The folder goes to the end, so that what it brings along hides nothing of ours.
    """
    folder = os.environ.get("SEQLAB_TORCH")
    if folder and folder not in sys.path:
        sys.path.append(folder)
    return find_spec("torch") is not None
