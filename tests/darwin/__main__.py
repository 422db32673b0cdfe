"""`python -m tests.darwin`: do the tests of the platform parts pass where the platform is a Mac's?"""

import subprocess
import sys

from tests.darwin import PLATFORM_PARTS, simulated

arguments = sys.argv[1:] or [*PLATFORM_PARTS]
sys.exit(
    subprocess.run([sys.executable, "-m", "pytest", *arguments], env=simulated(), check=False).returncode
)
