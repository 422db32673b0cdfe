"""A simulated Mac: Python, its libraries and the system's programs answer as they do there.

`python -m tests.darwin` runs the tests of the platform parts in it; give it pytest's arguments for others.
What it cannot show is MLX's Metal build; for that there is `tests/rehearsal`.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
# The parts that ask which platform they are on, start processes, or open files by the dozen.
PLATFORM_PARTS = (
    "tests/machine/test_device.py",
    "tests/machine/test_memory.py",
    "tests/measure/test_capacity.py",
    "tests/calibration/test_record.py",
    "tests/store/test_provenance.py",
    "tests/running/test_awake.py",
    "tests/running/test_scratch.py",
    "tests/running/test_worker.py",
    "tests/notebook/test_discover.py",
    "tests/tasks/test_downloads.py",
    "tests/test_signals.py",
)


def simulated() -> dict[str, str]:
    """The environment of a process that takes itself, and its children, to be on a Mac with Apple silicon."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE / "site"), *filter(None, sys.path)]),
        "PATH": os.pathsep.join([str(HERE / "bin"), os.environ.get("PATH", "")]),
        "SEQLAB_CALIBRATE": "0",
    }
