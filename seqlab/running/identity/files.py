"""What do the project's files hold now? Each is read once; what was known before is not parsed again.

Summaries of sources are kept by the hash of their bytes, not by date, so a kept one cannot be stale. Of data
files larger than `LARGE` the hash is kept with size, inode and times, as git does.
"""

import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from seqlab.running.identity.asks import ANY
from seqlab.running.identity.effects import ACTS, CALLS
from seqlab.running.identity.project import Project, counts, stem_of
from seqlab.running.identity.source import Source, digest, summarise
from seqlab.running.identity.words import ABSENT

VERSION = "3"  # of the summaries and digests; a new number makes every trial due
LARGE = 16 << 20  # bytes: hashing that many takes about 10 ms
SETTLED_NS = 2_000_000_000  # a file whose time is older than this when it is hashed cannot change unseen
MOST_KEPT = 4_000  # summaries; beyond, those that this command did not need are dropped
NOT_LISTED = ("__pycache__",)


@dataclass
class Known:
    """Summaries of sources and hashes of large files, kept in `file`, which is read when first needed."""

    file: Path | None = None
    _kept: dict[str, Any] | None = None
    _read: dict[str, Source] = field(default_factory=dict)
    _changed: bool = False

    @property
    def _summaries(self) -> dict[str, Any]:
        if self._kept is None:
            self._kept = {}
            if self.file is not None:
                with suppress(OSError, ValueError):  # absent or damaged: start empty
                    kept = json.loads(self.file.read_text())
                    self._kept = kept if isinstance(kept, dict) else {}
        return self._kept

    def summary(self, content: bytes, *, is_page: bool) -> Source:
        """The summary of a source."""
        key = sha256(f"{VERSION} {is_page} ".encode() + content).hexdigest()
        if key not in self._read:
            try:
                self._read[key] = _source_of(self._summaries[key])
            except (KeyError, TypeError, ValueError, AttributeError):
                self._read[key] = summarise(content, is_page=is_page)
                self._summaries[key], self._changed = asdict(self._read[key]), True
        return self._read[key]

    def hash_of(self, path: Path) -> str:
        """The hash of a file's bytes; `ABSENT` where there is no such file."""
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                return ABSENT
            if found.st_size < LARGE:
                return digest(path.read_bytes())
            key = " ".join(
                map(str, (path, found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns))
            )
            if not isinstance(self._summaries.get(key), str):
                with path.open("rb") as content:
                    kept = _hash_in_pieces(content)
                if time.time_ns() - found.st_ctime_ns < SETTLED_NS:
                    return kept
                self._summaries[key], self._changed = kept, True
            self._read[key] = Source("")  # needed
            return str(self._summaries[key])
        except OSError:
            return ABSENT

    def keep(self) -> None:
        """Write what is known to the file, if there is something new."""
        if self.file is not None and self._changed:
            if len(self._summaries) > MOST_KEPT:
                self._kept = {key: self._summaries[key] for key in self._read if key in self._summaries}
            with suppress(OSError):  # it only saves time
                aside = self.file.with_name(f"{self.file.name}.{os.getpid()}.part")
                aside.write_text(json.dumps(self._summaries))
                aside.replace(self.file)
                self._changed = False


def _source_of(kept: Any) -> Source:
    """A summary as JSON gives it back."""
    return Source(
        code=str(kept["code"]),
        docstrings=str(kept["docstrings"]),
        text=str(kept["text"]),
        imports=tuple((str(module), str(binding)) for module, binding in kept["imports"]),
        spare={
            str(name): (str(text), tuple((str(stem), str(asked)) for stem, asked in asks))
            for name, (text, asks) in kept["spare"].items()
        },
        asks=tuple((str(stem), str(name)) for stem, name in kept["asks"]),
        words=tuple(map(str, kept["words"])),
        reads_docstrings=tuple(map(str, kept["reads_docstrings"])),
        reads_text=tuple(map(str, kept["reads_text"])),
        effect=int(kept["effect"]),
    )


def _hash_in_pieces(content: Any) -> str:
    found = sha256()
    while piece := content.read(1 << 20):
        found.update(piece)
    return found.hexdigest()[:16]


@dataclass
class Files:
    """The files of a project as they are when each is first asked for, by their names."""

    project: Project
    known: Known
    _contents: dict[str, bytes | None] = field(default_factory=dict)
    _sources: dict[tuple[str, bool], Source | None] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)
    _effects: dict[str, bool] = field(default_factory=dict)
    _asks: dict[tuple[str, bool], dict[str, set[str]]] = field(default_factory=dict)
    _imports: dict[tuple[str, bool], tuple[tuple[str, str, bool], ...]] = field(default_factory=dict)

    def source(self, name: str, *, is_page: bool = False) -> Source | None:
        """The summary of a source file; None where there is no such file."""
        if (name, is_page) not in self._sources:
            if name not in self._contents:
                self._contents[name] = None
                with suppress(OSError):
                    self._contents[name] = Path(self.project.path(name)).read_bytes()
            content = self._contents[name]
            found = None if content is None else self.known.summary(content, is_page=is_page)
            self._sources[name, is_page] = found
        return self._sources[name, is_page]

    def hash_of(self, name: str) -> str:
        """The hash of any file's bytes."""
        if name not in self._hashes:
            self._hashes[name] = self.known.hash_of(Path(self.project.path(name)))
        return self._hashes[name]

    def names_in(self, name: str) -> str:
        """A hash of the names in a folder."""
        return listing(self.project.path(name))

    def imports(self, name: str, *, is_page: bool = False) -> tuple[tuple[str, str, bool], ...]:
        """What a file's imports run: (file, binding, whether it acts), in the order of the text."""
        if (name, is_page) not in self._imports:
            source = self.source(name, is_page=is_page)
            self._imports[name, is_page] = tuple(
                dict.fromkeys(
                    (file, binding, file != name and self.acts(file))
                    for module, binding in (source.imports if source else ())
                    for file in self.project.modules(module, name)
                    if counts(file)
                )
            )
        return self._imports[name, is_page]

    def target(self, name: str, module: str) -> str:
        """The file of the module that a file names so; the last part of its name where that is not found."""
        last = module.rpartition(".")[2]
        found = self.project.modules(module, name) if module != ANY else ()
        return found[-1] if found and (not last or stem_of(found[-1]) == last) else last or ANY

    def asks(self, name: str, *, is_page: bool = False) -> dict[str, set[str]]:
        """What a file asks which file for, or which last part of a module's name."""
        if (name, is_page) not in self._asks:
            source = self.source(name, is_page=is_page)
            found: dict[str, set[str]] = {}
            for module, asked in source.asks if source else ():
                found.setdefault(self.target(name, module), set()).add(asked)
            self._asks[name, is_page] = found
        return self._asks[name, is_page]

    def acts(self, name: str) -> bool:
        """Whether importing this file does more than define names, in it or in what it imports."""
        if name not in self._effects:
            self._effects[name] = False  # while it is looked at: modules may import one another
            source = self.source(name)
            # Seqlab's own classes register nothing; those of others may.
            enough = ACTS if name.startswith("seqlab/") else CALLS
            self._effects[name] = source is not None and (
                source.effect >= enough or any(acts for *_, acts in self.imports(name))
            )
        return self._effects[name]


def listing(folder: str) -> str:
    """A hash of the names in a folder, without hidden ones and editors' copies."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return ABSENT
    return digest(
        "\n".join(name for name in names if name not in NOT_LISTED and name[0] != "." and name[-1] != "~")
    )
