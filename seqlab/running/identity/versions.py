"""Which versions do the packages have that a trial computes with?

They are read from the names of the `.dist-info` folders. That takes a millisecond; `importlib.metadata`
takes a hundred.
"""

import os
import re
import sys
from collections.abc import Iterable
from functools import cache

PACKAGE = "package "  # what the record of a distribution begins with
PYTHON = "Python"

# Written as their makers do, and where a module is not called like its distribution.
TITLES = {"numpy": "NumPy", "scipy": "SciPy", "mlx": "MLX"}
DISTRIBUTIONS = {"sklearn": "scikit-learn", "dateutil": "python-dateutil", "PIL": "pillow", "yaml": "pyyaml"}
# MLX is part of a trial's key. The others check types, fetch files whose hash is checked, or show progress.
_NOT_COMPUTING = """
    beartype certifi charset-normalizer idna jaxtyping mlx mlx-cpu mlx-cuda-12 mlx-cuda-13 mlx-metal
    packaging pebble platformdirs pooch psutil requests rich seqlab tqdm typing-extensions urllib3
    wadler-lindig
"""
NOT_COMPUTING = frozenset(_NOT_COMPUTING.split())
# Others bring these along, some only where they happen to be installed, and compute nothing with them. They
# count where the project's own code imports them.
_COMES_ALONG = """
    cloudpickle formulaic interface-meta joblib narwhals patsy pyarrow python-dateutil pytz six threadpoolctl
    tzdata wrapt
"""
COMES_ALONG = frozenset(_COMES_ALONG.split())


@cache
def installed() -> dict[str, str]:
    """The version of each installed distribution, by its normalised name; what Python finds first counts."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            title, separator, version = name.removesuffix(".dist-info").rpartition("-")
            if separator and name.endswith(".dist-info"):
                found.setdefault(_normalised(title), version)
    return found


def of_modules(names: Iterable[str], *, imported: Iterable[str]) -> dict[str, str]:
    """What to record of these loaded modules: the version of each distribution that computes.

    `imported` are the modules that the project's own code names.
    """
    found, own = {}, {name.partition(".")[0] for name in imported}
    for top in sorted({name.partition(".")[0] for name in names}):
        distribution = _distribution(top)
        alone = distribution in COMES_ALONG and top not in own
        if distribution and distribution not in NOT_COMPUTING and not alone:
            found[PACKAGE + distribution] = installed().get(distribution, "")
    return found


@cache
def _distribution(module: str) -> str:
    """The distribution that a top-level module belongs to; empty where none is known."""
    name = _normalised(DISTRIBUTIONS.get(module, module))
    if name in installed():
        return name
    from importlib.metadata import packages_distributions  # slow, and rarely needed

    return next((_normalised(one) for one in packages_distributions().get(module, ())), "")


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
