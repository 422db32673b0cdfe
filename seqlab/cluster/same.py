"""What must be the same on all machines, so that a run of any counts here? Code, data, packages, device."""

import platform
from dataclasses import replace
from hashlib import sha256

from seqlab.cluster.words import Terms
from seqlab.running.fingerprint import KNOWN_FILE, Fingerprints
from seqlab.running.identity.versions import PACKAGE, PYTHON, of_modules
from seqlab.store.workspace import PACKAGE as CODE
from seqlab.store.workspace import Workspace

DATA = CODE / "tasks" / "data"


def versions() -> dict[str, str]:
    """Of Python and of the packages that most pages compute with; the record of a run has all it used."""
    return {PYTHON: platform.python_version(), **of_modules(("numpy", "scipy", "sklearn"), imported=())}


def data() -> str:
    """A hash of the packaged data files: names and contents."""
    found = sha256()
    for path in sorted(DATA.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(f"{path.relative_to(CODE)} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:16]


def workspace_of(terms: Terms) -> Workspace:
    """The command's own folders where this machine has them, else the project that this process began in."""
    if (terms.root / "experiments").is_dir():
        return Workspace(terms.root, terms.results, terms.aside)
    return replace(Workspace.of(None, None), aside=terms.aside)


def differs(terms: Terms, device: tuple[str, str, str], workspace: Workspace) -> str:
    """Why this machine, with this device and project, does not fit; empty where it does."""
    own = {"MLX": device[2], **versions()}
    for name, wanted in {"MLX": terms.mlx, **terms.versions}.items():
        if own.get(name) != wanted:
            title = name.removeprefix(PACKAGE)
            return f"it has {title} {own.get(name) or 'not at all'}, this command {wanted}; install the same."
    if not terms.device:
        return ""
    if device[1] != terms.device:
        return (
            f"its device is {device[1]}, this report is about {terms.device}; give it a store of its own, "
            "which `seqlab results merge` brings in."
        )
    prints = Fingerprints(workspace.results / KNOWN_FILE)
    for page, wanted in terms.pages.items():
        path = workspace.pages / page
        if not path.is_file() or prints.of(path) != wanted:
            what = "is other code than" if path.is_file() else "is missing, unlike"
            return f"{path}, or what it imports, {what} here; bring it to the same state."
    if terms.data and data() != terms.data:
        return f"the files in {DATA} are others than here; bring them to the same state."
    return ""
