"""Under which circumstances was a run measured?

Kept with every run, so that a surprising number can be explained: code, versions, device, settings, memory,
power and temperature. What the machine does not report is left out, never guessed.
"""

import os
import platform
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from seqlab.machine.blas import cores

PACKAGES = ("mlx", "numpy", "pandas", "seaborn", "matplotlib", "scikit-learn", "typst", "pypandoc_binary")


def gather(
    root: Path,
    *,
    device: str,
    blas: str,
    threads: int,
    calibration: str,
    cache_bytes: int | None,
    products: str | None = None,
) -> dict[str, Any]:
    """The version of the code in `root`, the machine and its present state.

    `device` and `blas` name the back end, `calibration` its settings and where they come from, `products` the
    precision of its products of float32 arrays.
    """
    found: dict[str, Any] = {
        "commit": _git(root, "rev-parse", "HEAD"),
        "uncommitted changes": _uncommitted(root),
        "lock": _hash(root / "requirements.lock"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "device": device,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": cores(),
        "memory": _memory(),
        "BLAS": blas,
        "BLAS threads": threads or None,  # 0 where the library does not tell, as Accelerate
        "calibration": calibration,
        "buffer cache": cache_bytes,
        "float32 products": products,
        "TF32": os.environ.get("MLX_ENABLE_TF32"),  # as requested; MLX decides where it is not set
        "power source": _power(),
        "thermal state": _thermal(),
        "low power mode": _low_power(),
    }
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def _output(*command: str, cwd: Path | None = None) -> str | None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _git(root: Path, *arguments: str) -> str | None:
    return _output("git", *arguments, cwd=root)


def _uncommitted(root: Path) -> bool | None:
    # The reference is no code: what was measured before does not make the next measurement one of other code.
    but = ":(exclude)report/reference"
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", but)
    # A page that git does not know is a change too: the commit that is recorded lacks it.
    folders = ("experiments", "report", "seqlab")
    new = _git(root, "ls-files", "--others", "--exclude-standard", "--", *folders, but)
    return None if changes is None else bool(changes or new)


def _hash(path: Path) -> str | None:
    return sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str | None:
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string")
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or None


def _memory() -> int | None:
    """Physical memory in bytes."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _power() -> str | None:
    if sys.platform == "darwin":
        output = _output("pmset", "-g", "batt")
        return output.splitlines()[0].partition("'")[2].strip("'") if output else None
    for supply in sorted(Path("/sys/class/power_supply").glob("A*/online")):
        try:
            return "mains" if supply.read_text().strip() == "1" else "battery"
        except OSError:
            return None
    return None


def _thermal() -> str | None:
    output = _output("pmset", "-g", "therm") if sys.platform == "darwin" else None
    if not output:
        return None
    limits = [line.strip() for line in output.splitlines() if "=" in line]
    return "; ".join(limits) or None  # Macs with Apple silicon may say nothing, which is not "cool"


def _low_power() -> bool | None:
    """Whether a Mac saves energy, which halves its speed; None where it does not tell."""
    output = _output("pmset", "-g") if sys.platform == "darwin" else None
    words = [line.split() for line in (output or "").splitlines()]
    return next((line[1] != "0" for line in words if line[:1] == ["lowpowermode"] and len(line) > 1), None)
