"""Where are the data sets that are not packaged, and how are they downloaded?

They are too large for the package, or their licence is unclear. Nothing is fetched unless a trial asks for
it. A set that was fetched once needs no network again: it is in the user's cache folder, or where
`SEQLAB_DATA` says. Every file's SHA-256 is pinned here, and its address names a commit; a file with another
hash is never kept. An interrupted download continues where it stopped, if the server supports it.
"""

import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seqlab.errors import DataError, unknown

VARIABLE = "SEQLAB_DATA"
TIMEOUTS = (10, 60)  # seconds: to connect, and between two chunks
CHUNK = 1 << 13  # bytes: at most this much of what has arrived is lost when a connection breaks


@dataclass(frozen=True)
class Remote:
    """One file: its address, hash and size."""

    address: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class DataSet:
    """Files that belong together, and the licence on which their authors offer them."""

    licence: str
    files: Mapping[str, Remote]

    @property
    def size(self) -> int:
        """Bytes, all files together."""
        return sum(remote.size for remote in self.files.values())


_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07"
_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion"
)

SETS: Mapping[str, DataSet] = {
    "ETTh1": DataSet(
        # The repository's LICENSE says CC BY-ND 4.0, copies elsewhere say otherwise: hence by download only.
        "CC BY-ND 4.0 in its repository; other distributors say otherwise",
        {
            "ETTh1.csv": Remote(
                f"{_ETT}/ETT-small/ETTh1.csv",
                "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
                2_589_657,
            )
        },
    ),
    # The labels' hashes were computed from that commit. The images' are those that many other projects pin,
    # beside the MD5 of the repository's own table.
    "Fashion-MNIST": DataSet(
        "MIT",
        {
            name: Remote(f"{_FASHION}/{name}", sha256, size)
            for name, sha256, size in (
                (
                    "train-images-idx3-ubyte.gz",
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    26_421_880,
                ),
                (
                    "train-labels-idx1-ubyte.gz",
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    29_515,
                ),
                (
                    "t10k-images-idx3-ubyte.gz",
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    4_422_102,
                ),
                (
                    "t10k-labels-idx1-ubyte.gz",
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                    5_148,
                ),
            )
        },
    ),
}


def folder(name: str) -> Path:
    """The folder of the named set, present or not."""
    from pooch import os_cache  # slow to import, and most runs fetch nothing

    return Path(os.environ.get(VARIABLE) or os_cache("seqlab")).expanduser() / name


def fetch(name: str) -> Mapping[str, Path]:
    """Every file of the set, by its name: checked, and downloaded first where it is missing.

    Raises `DataError` where the set is unknown, cannot be downloaded, or differs from what was pinned.
    """
    if name not in SETS:
        raise DataError(unknown("data set", name, SETS))
    target = folder(name)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _locked(target):
            return {file: _fetched(target / file, remote) for file, remote in SETS[name].files.items()}
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(
            f"expected to keep {name} ({_megabytes(SETS[name].size)}) in {target}, found that it cannot be "
            f"written there ({reason}). Make room or set {VARIABLE} to another folder."
        ) from None


def present(name: str) -> bool:
    """Whether every file of the set is in its folder, with its full size; `fetch` checks the hashes."""
    target = folder(name)
    sizes = {file: target / file for file in SETS[name].files}
    return all(
        path.is_file() and path.stat().st_size == SETS[name].files[file].size for file, path in sizes.items()
    )


def states() -> Iterator[str]:
    """One line for each set: its size, its licence, and where it is."""
    for name, one in SETS.items():
        where = f"in {folder(name)}" if present(name) else "not fetched"
        yield f"{name} ({_megabytes(one.size)}; licence: {one.licence}): {where}"


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Let one process at a time download into a folder: two would write to the same unfinished file."""
    with open(target / ".lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched(path: Path, remote: Remote) -> Path:
    """The file, checked; one with another hash is downloaded again. A file appears only when complete."""
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")  # the progress bar is enough
    altered = path.is_file() and not pooch.hashes.hash_matches(path, remote.sha256)
    found = "found another file there and that" if altered else "found that"
    try:
        pooch.retrieve(
            remote.address,
            f"sha256:{remote.sha256}",
            path.name,
            path.parent,
            downloader=ResumingDownloader(remote.size),
        )
    except RequestException as error:
        raise DataError(
            f"expected {path.name} ({_megabytes(remote.size)}) at {path} or at {remote.address}, "
            f"{found} the download failed ({_reason(error)}). Run again with a network, or put the file "
            f"there by hand; its SHA-256 is {remote.sha256}."
        ) from None
    except ValueError as error:  # pooch has removed the file
        got = str(error).partition("but got ")[2].partition(".")[0]
        raise DataError(
            f"expected SHA-256 {remote.sha256} for {remote.address}, found {got}: the download was "
            f"removed. Run again; if that does not help, put the right file at {path} by hand."
        ) from None
    return path


def _reason(error: Exception) -> str:
    """The cause in a few words; the messages of requests have several lines of nested brackets."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"the server answered {status}" if status else type(error).__name__


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@dataclass(frozen=True)
class ResumingDownloader:
    """A downloader for pooch that keeps what has arrived, and asks for the rest next time.

    The unfinished file is beside the finished one, and moved to where pooch expects it once complete.
    """

    size: int  # bytes

    def __call__(self, address: str, output: str, pooch: object = None) -> None:
        from requests import RequestException

        name = address.rpartition("/")[2]
        part = Path(output).with_name(f"{name}.part")
        while True:
            arrived = _length(part)
            if arrived == self.size:
                break
            try:
                self._resume(address, part)
                break
            except RequestException:
                if _length(part) <= arrived:  # else the connection broke on the way: resume at once
                    raise
        os.replace(part, output)

    def _resume(self, address: str, part: Path) -> None:
        """Ask for what is missing, or for everything where the server supports no ranges."""
        import requests
        from tqdm import tqdm

        arrived = _length(part) if _length(part) < self.size else 0
        # Uncompressed: a range of a compressed answer would not fit what has arrived.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={arrived}-"} if arrived else {})
        with requests.get(address, headers=headers, stream=True, timeout=TIMEOUTS) as answer:
            answer.raise_for_status()
            resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {arrived}-")
            arrived = arrived if answer.status_code == 206 and resumed else 0
            with (
                open(part, "ab" if arrived else "wb") as file,
                tqdm(
                    total=self.size, initial=arrived, desc=part.stem, unit="B", unit_scale=True, leave=False,
                    disable=not sys.stderr.isatty(),
                ) as bar,
            ):  # fmt: skip
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
