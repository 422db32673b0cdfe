"""How is the reference kept in its folder, so that a killed writer loses nothing and an edit is noticed?

Each page has a file of lines, sorted by what was tried, and the manifest has the hash of each file. All files
are written aside before the first is put in its place, the manifest last; whoever reads next finishes what a
killed writer began.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from seqlab.errors import StoreError
from seqlab.reference.entry import Entry, entry_of, line
from seqlab.reference.manifest import MANIFEST, Manifest, PageFile, manifest_of
from seqlab.reference.problems import FOLDER, problem, shown

MOST_BYTES = 5_000_000  # of the whole folder, which everyone who has the code has to fetch
SUFFIX, ASIDE = ".jsonl", ".part"


@dataclass(frozen=True)
class Whole:
    """A reference whose files are as its manifest says. `key` changes whenever anything in it does."""

    folder: Path
    manifest: Manifest
    key: str

    def entries(self, page: str) -> list[Entry]:
        """The runs of a page, in the order of its file; none for a page that it lacks."""
        if page not in self.manifest.pages:
            return []
        path = self.folder / f"{page}{SUFFIX}"
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # a text may hold other ends of lines
        expected = self.manifest.pages[page].runs
        if len(lines) != expected:
            raise problem(f"{expected} runs in {shown(path)}", f"{len(lines)}")
        return [
            entry_of(text, self.manifest, where=f"line {number} of {shown(path)}")
            for number, text in enumerate(lines, start=1)
        ]


def find(folder: Path) -> Whole | None:
    """The reference in this folder, every file checked by its hash; None where there is none."""
    _finish(folder)
    path = folder / MANIFEST
    files = {one.name for one in folder.glob(f"*{SUFFIX}")}
    if not path.is_file():
        if files:
            raise problem(f"a manifest beside {FOLDER}/{min(files)}", "none")
        return None
    try:
        content = path.read_bytes()
        manifest = manifest_of(content.decode(), where=shown(path))
        listed = {f"{page}{SUFFIX}": one for page, one in manifest.pages.items()}
        for name in sorted(files - listed.keys()):
            raise problem("only files that the manifest lists", f"{FOLDER}/{name}")
        for name, one in listed.items():
            if name not in files:
                raise problem(f"the file {FOLDER}/{name}, which the manifest lists", "none")
            if _hash(folder / name) != one.sha256:
                raise problem(
                    f"{FOLDER}/{name} as it was written (by its hash in the manifest)",
                    "other bytes: it was edited or cut",
                )
    except (OSError, UnicodeDecodeError) as error:
        raise problem(f"files that can be read in {FOLDER}/", str(error)) from error
    return Whole(folder, manifest, sha256(content).hexdigest())


@dataclass(frozen=True)
class Written:
    """What is to be written: the text of each file, by its name, the manifest last."""

    texts: Mapping[str, str]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(len(text.encode()) for text in self.texts.values())


def written(pages: Mapping[str, Sequence[Entry]], before: Manifest) -> Written:
    """The files of a reference with these runs; numbers are those that `before` has, where it has one."""
    manifest = before.emptied()
    texts = {}
    for page in sorted(pages):
        entries = sorted(pages[page], key=lambda entry: entry.key)
        text = "".join(f"{line(entry, manifest)}\n" for entry in entries)
        if entries:
            texts[f"{page}{SUFFIX}"] = text
            manifest.pages[page] = PageFile(sha256(text.encode()).hexdigest(), len(entries))
    return Written({**texts, MANIFEST: manifest.text()})


def put(folder: Path, files: Written) -> bool:
    """Write the files and remove pages that are gone; whether anything changed."""
    if files.bytes > MOST_BYTES:
        raise StoreError(
            f"the reference would take {files.bytes / 1e6:.1f} MB, expected at most {MOST_BYTES / 1e6:g} MB. "
            "Export fewer pages or seeds; nothing was written, and every result is safe."
        )
    new = {
        name: text.encode()
        for name, text in files.texts.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode()
    }
    gone = {path for path in folder.glob(f"*{SUFFIX}") if path.name not in files.texts}
    if not new and not gone:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in new.items():
            (folder / f"{name}{ASIDE}").write_bytes(content)
        (folder / f"{MANIFEST}{ASIDE}").write_text(
            files.texts[MANIFEST], encoding="utf-8"
        )  # all is there now
        _finish(folder, check=True)
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}. Make room or make it writable, then export again "
            "with `seqlab reference`; every result is safe."
        ) from error
    return True


def _finish(folder: Path, *, check: bool = False) -> None:
    """Put in their places the files that were written aside, if they are all there; `check` raises errors."""
    aside = folder / f"{MANIFEST}{ASIDE}"
    with suppress(*(() if check else (OSError, StoreError, UnicodeDecodeError))):
        manifest = manifest_of(aside.read_text(encoding="utf-8"), where=aside.name)
        names = {f"{page}{SUFFIX}": one.sha256 for page, one in manifest.pages.items()}
        moves = []
        for name, expected in names.items():
            here, new = folder / name, folder / f"{name}{ASIDE}"
            if new.is_file() and _hash(new) == expected:
                moves.append((new, here))
            elif not here.is_file() or _hash(here) != expected:
                return  # a writer was killed before it had written all: what was there before counts
        for new, here in moves:
            new.replace(here)
        for path in folder.glob(f"*{SUFFIX}"):
            if path.name not in names:
                path.unlink()
        aside.replace(folder / MANIFEST)


def _hash(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
