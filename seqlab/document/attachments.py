"""Which files are attached to the report, and which of them may be removed?

A manifest lists what was written for each page. Only files on it whose names that page could have given are
ever removed. This module uses only the standard library, since commands that have nothing to do also need it.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from seqlab.notebook.artifacts import SUFFIXES, safe

MANIFEST = ".attachments.json"


def keep(results: Path, pages: Mapping[str, Mapping[str, bytes]]) -> list[Path]:
    """Write the files of each page by name; remove earlier files that these pages no longer have.

    Returns the paths. Each file is replaced atomically.
    """
    known = _known(results)
    for page, files in pages.items():
        for name, data in files.items():
            aside = results / f".{name}.part"
            aside.write_bytes(data)
            aside.replace(results / name)
        others = {name for other, names in known.items() if other != page for name in names}
        for name in set(known.get(page, {})) - set(files) - others:
            (results / name).unlink(missing_ok=True)
        known[page] = {name: sha256(data).hexdigest() for name, data in files.items()}
    listed = {page: names for page, names in known.items() if names}
    if listed or (results / MANIFEST).exists():
        aside = results / f"{MANIFEST}.part"
        aside.write_text(json.dumps(listed, indent=1))
        aside.replace(results / MANIFEST)
    return [results / name for files in pages.values() for name in files]


def state(results: Path, pages: Iterable[str] | None = None) -> str:
    """A text that changes when a file of these pages, or of all pages, is rewritten or removed."""
    known = _known(results)
    chosen = sorted(known) if pages is None else pages
    found = [(page, sorted(known[page].items())) for page in chosen if page in known]
    there = [(results / name).is_file() for _, names in found for name, _ in names]
    return repr((found, all(there))) if found else ""


def _known(results: Path) -> dict[str, dict[str, str]]:
    """The manifest, without names that its pages could not have given."""
    try:
        read = json.loads((results / MANIFEST).read_text())
        return {
            str(page): {name: str(digest) for name, digest in names.items() if _is_ours(page, name)}
            for page, names in read.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):  # absent or damaged: remove nothing
        return {}


def _is_ours(page: str, name: str) -> bool:
    path = Path(name)
    return (
        path.name == name
        and name.startswith(f"{safe(page)}-")
        and path.suffix in {*SUFFIXES.values(), ".bin"}
    )
