"""Which files lie beside the report for other programs, and which of them are ours to remove?

A list of what was written, page by page, lies with them. Only names on it that such a page could have
given are ever removed. It uses the standard library alone: a command with nothing to do asks it too.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from seqlab.notebook.artifacts import SUFFIXES, safe

LIST = ".attachments.json"


def keep(results: Path, pages: Mapping[str, Mapping[str, bytes]]) -> list[Path]:
    """Write the files of each page by name; remove what these pages had before and have no longer.

    Returns the files. Each appears whole or not at all.
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
    if listed or (results / LIST).exists():
        aside = results / f"{LIST}.part"
        aside.write_text(json.dumps(listed, indent=1))
        aside.replace(results / LIST)
    return [results / name for files in pages.values() for name in files]


def state(results: Path, pages: Iterable[str] | None = None) -> str:
    """A text that changes when a file of these pages, or of all, is written anew or is gone."""
    known = _known(results)
    chosen = sorted(known) if pages is None else pages
    found = [(page, sorted(known[page].items())) for page in chosen if page in known]
    there = [(results / name).is_file() for _, names in found for name, _ in names]
    return repr((found, all(there))) if found else ""


def _known(results: Path) -> dict[str, dict[str, str]]:
    """The list, as far as it can be believed: a name that no page gives is left out."""
    try:
        read = json.loads((results / LIST).read_text())
        return {
            str(page): {name: str(digest) for name, digest in names.items() if _is_ours(page, name)}
            for page, names in read.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):  # absent or damaged: nothing is ours
        return {}


def _is_ours(page: str, name: str) -> bool:
    path = Path(name)
    return (
        path.name == name
        and name.startswith(f"{safe(page)}-")
        and path.suffix in {*SUFFIXES.values(), ".bin"}
    )
