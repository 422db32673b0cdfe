"""Where do the larger data sets lie, and how do they get there?

They are too large, or too unclear in their licence, to travel with the code. Nothing is fetched unless a
page's setting asks for it; once fetched, a set is at hand without a network, in the user's cache folder or
where `SEQLAB_DATA` says. Every file's SHA-256 is pinned here, as is the commit that its address names, and a
file of another hash is never kept. An interrupted download goes on where it stopped, if the server can.
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
PATIENCE = (10, 60)  # seconds: to connect, and between two pieces
PIECE = 1 << 13  # bytes: as much of what has arrived may be lost when a connection breaks


@dataclass(frozen=True)
class Remote:
    """One file: where it is to be had, what it must be, and how large it is."""

    address: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class DataSet:
    """Files that belong together, and on which terms their authors offer them."""

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
        # CC BY-ND 4.0 says the repository's LICENSE, others say copies elsewhere: hence by download only.
        "CC BY-ND 4.0 in its repository; other distributors say otherwise",
        {
            "ETTh1.csv": Remote(
                f"{_ETT}/ETT-small/ETTh1.csv",
                "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
                2_589_657,
            )
        },
    ),
    # The labels' hashes were computed from that commit. The images' are those that many others pin beside
    # the MD5 of the repository's own table.
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
    """Where the files of the named set lie, or will."""
    from pooch import os_cache  # slow to import, and most runs fetch nothing

    return Path(os.environ.get(VARIABLE) or os_cache("seqlab")).expanduser() / name


def fetch(name: str) -> Mapping[str, Path]:
    """Every file of the set, by its name: checked, and fetched first where it is not there.

    Raises `DataError` where the set is unknown, cannot be had, or is not what was pinned.
    """
    if name not in SETS:
        raise DataError(unknown("data set", name, SETS))
    lies = folder(name)
    try:
        lies.mkdir(parents=True, exist_ok=True)
        with _alone(lies):
            return {file: _fetched(lies / file, remote) for file, remote in SETS[name].files.items()}
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(
            f"expected to keep {name} ({_megabytes(SETS[name].size)}) in {lies}, found that it cannot be "
            f"written there ({reason}). Make room or set {VARIABLE} to another folder."
        ) from None


def present(name: str) -> bool:
    """Whether every file of the set lies in its folder, in its full size; `fetch` checks the hashes."""
    lies = folder(name)
    sizes = {file: lies / file for file in SETS[name].files}
    return all(
        path.is_file() and path.stat().st_size == SETS[name].files[file].size for file, path in sizes.items()
    )


def states() -> Iterator[str]:
    """For each set, one line: is it there, how large it is, its licence."""
    for name, one in SETS.items():
        where = f"in {folder(name)}" if present(name) else "not fetched"
        yield f"{name} ({_megabytes(one.size)}; licence: {one.licence}): {where}"


@contextmanager
def _alone(lies: Path) -> Iterator[None]:
    """Let one process at a time fetch into a folder: two would write to the same unfinished file."""
    with open(lies / ".lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched(path: Path, remote: Remote) -> Path:
    """The file, checked; one of another hash is fetched anew. It appears whole or not at all."""
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")  # the bar says what is going on
    altered = path.is_file() and not pooch.hashes.hash_matches(path, remote.sha256)
    found = "found another file there and " if altered else "found "
    try:
        pooch.retrieve(
            remote.address,
            f"sha256:{remote.sha256}",
            path.name,
            path.parent,
            downloader=Resuming(remote.size),
        )
    except RequestException as error:
        raise DataError(
            f"expected {path.name} ({_megabytes(remote.size)}) at {path} or at {remote.address}, "
            f"{found}no way to it ({_reason(error)}). Run again with a network, or put the file there by "
            f"hand; its SHA-256 is {remote.sha256}."
        ) from None
    except ValueError as error:  # pooch has removed the file
        got = str(error).partition("but got ")[2].partition(".")[0]
        raise DataError(
            f"expected SHA-256 {remote.sha256} for {remote.address}, found {got}: the download was "
            f"removed. Run again; if that does not help, put the right file at {path} by hand."
        ) from None
    return path


def _reason(error: Exception) -> str:
    """The cause in a few words; what requests says runs over several lines of nested brackets."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"the server answered {status}" if status else type(error).__name__


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@dataclass(frozen=True)
class Resuming:
    """A downloader for pooch that keeps what has arrived, and asks for the rest next time.

    The unfinished file lies beside the finished one and is moved to where pooch wants it once it is whole.
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
                self._go_on(address, part)
                break
            except RequestException:
                if _length(part) <= arrived:  # else the connection broke on the way: go on at once
                    raise
        os.replace(part, output)

    def _go_on(self, address: str, part: Path) -> None:
        """Ask for what is missing, or for all where the server knows no ranges."""
        import requests
        from tqdm import tqdm

        arrived = _length(part) if _length(part) < self.size else 0
        # As it is: a range of what was compressed on the way would not fit what has arrived.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={arrived}-"} if arrived else {})
        with requests.get(address, headers=headers, stream=True, timeout=PATIENCE) as answer:
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
                for piece in answer.iter_content(PIECE):
                    file.write(piece)
                    bar.update(len(piece))


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
