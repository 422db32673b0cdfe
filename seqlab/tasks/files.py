"""Are the packaged data those that the results were measured on?

Every file is checked against a hash in this module before its first use in a process. No file can run code:
arrays are read without objects, texts as JSON.
"""

import hashlib
import json
import lzma
from functools import cache
from pathlib import Path

import numpy as np

from seqlab.errors import DataError, unknown

FOLDER = Path(__file__).parent / "data"

# SHA-256 of each file; `data/README.md` names the sources and licences.
HASHES = {
    "bach_chorales_16th.npz": "443efbbf78bf8c0ccba98e88c351b7c3ec4d2ef2821ee45b9b743a9eb6790930",
    "household_power_hourly.npz": "875c80e751436d0f8df0f2fb00af0abad5177a53cc191dce9dd97c644e617886",
    "metro_traffic_hourly.npz": "e3da9fd0041b7e05f6c4146002f884ee5ba175bfeed35697d0407d2511220790",
    "mnist5k.npz": "d20330d81abddb1b33f0afcada18754432ee28f55600dd3679438d76dd6ca6a8",
    "protein_q8.tsv.xz": "436f5a52f1b17b71f8998961cf5e099307110b8f0ee8b9b9d0c193ccff1fae1c",
    "published.toml": "41d56933d965061d5c92518154d5e104d5ce52f79fdf6391e200fef938306134",
    "shakespeare_plays.json.xz": "e3649b6ab34cb51c6994849c833359db03d91c79990f0f049adfe53a599a3266",
}


def path(name: str) -> Path:
    """The path of the named file, once its hash is checked.

    Raises `DataError` where the name is unknown or the file is missing, unreadable or altered.
    """
    if name not in HASHES:
        raise DataError(unknown("data file", name, HASHES) + " Add its hash to seqlab/tasks/files.py.")
    return _verified(FOLDER / name, HASHES[name])


def arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of a checked `.npz` file, by name."""
    with np.load(path(name), allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def texts(name: str) -> dict[str, str]:
    """The texts of a checked `.json.xz` file by title, in their stored order."""
    titled: dict[str, str] = json.loads(lzma.decompress(path(name).read_bytes()))
    return titled


def check_all() -> tuple[str, ...]:
    """The names of all data files, once all are checked. Raises `DataError` at the first that fails."""
    return tuple(path(name).name for name in HASHES)


@cache  # Hash once a process, not once a trial. An error is not cached.
def _verified(where: Path, expected: str) -> Path:
    advice = "Reinstall seqlab, or restore the file with git checkout."
    try:
        found = hashlib.sha256(where.read_bytes()).hexdigest()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"expected the data file {where}, found none to read ({reason}). {advice}") from None
    if found != expected:
        raise DataError(f"expected SHA-256 {expected} for {where}, found {found}: it was altered. {advice}")
    return where
