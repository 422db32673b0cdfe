"""Did the code that produced a result change in a way that could change the result?

The fingerprint of a page hashes the syntax trees of the page and of every seqlab module that it
imports, directly or through others, without comments, docstrings and formatting. Two things are left
out on purpose. Of the statement `experiment = Experiment(...)` only `run=` counts: the rest says which
trials to run, what is claimed and what is shown. Factors and settings identify a trial anyway, and a
changed rule must not discard evidence (the report lists such changes instead). The vocabulary,
`seqlab.notebook`, measures nothing. The hash does not depend on the version of Python.
"""

import ast
import json
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
VOCABULARY = ("seqlab.errors", "seqlab.notebook")
VERSION = "2"  # of the digests below; a new number invalidates those kept in files


@dataclass
class Fingerprints:
    """Fingerprints of pages. Digests are cached in `file`, so that known code is not parsed again.

    They are found by the hash of the source's bytes, not by its date: a cached digest cannot be stale.
    """

    file: Path | None = None
    _cached: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    _changed: bool = False

    def __post_init__(self) -> None:
        if self.file is not None:
            with suppress(OSError, ValueError, AttributeError, TypeError):  # absent or damaged: start empty
                kept = json.loads(self.file.read_text()).items()
                self._cached = {key: (str(digest), [*map(str, names)]) for key, (digest, names) in kept}

    def of(self, page: Path) -> str:
        """The fingerprint of a page (16 hex digits)."""
        found: dict[str, str] = {}
        found[""], imported = self._summary(page.read_bytes(), is_page=True)
        queue = list(imported)
        while queue:
            module = queue.pop()
            path = _file(module)
            if path is None or module in found or module.startswith(VOCABULARY):
                continue
            found[module], further = self._summary(path.read_bytes(), is_page=False)
            queue.extend(further)
        return sha256("\n".join(f"{name} {found[name]}" for name in sorted(found)).encode()).hexdigest()[:16]

    def keep(self) -> None:
        """Write the digests to the file, if there are new ones."""
        if self.file is not None and self._changed:
            with suppress(OSError):  # the cache only saves time
                aside = self.file.with_name(f"{self.file.name}.part")
                aside.write_text(json.dumps(self._cached))
                aside.replace(self.file)

    def _summary(self, source: bytes, *, is_page: bool) -> tuple[str, list[str]]:
        """The digest of a source, and the seqlab modules that it imports."""
        key = sha256(f"{VERSION} {is_page} ".encode() + source).hexdigest()
        if key not in self._cached:
            body = ast.parse(source).body
            imported = sorted(_imports(body))
            kept = [_run_argument(node) if is_page and _declares_experiment(node) else node for node in body]
            self._cached[key], self._changed = (_digest(kept), imported), True
        digest, imported = self._cached[key]
        return digest, imported


def _declares_experiment(node: ast.stmt) -> bool:
    match node:
        case (
            ast.Assign(targets=[ast.Name(id="experiment")]) | ast.AnnAssign(target=ast.Name(id="experiment"))
        ):
            return True
    return False


def _digest(body: list[ast.stmt]) -> str:
    tree = ast.Module(body=body, type_ignores=[])
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return sha256(_dump(tree).encode()).hexdigest()


def _run_argument(declaration: ast.stmt) -> ast.stmt:
    """The `run` of `experiment = Experiment(run=..., ...)`, by name or as the first argument."""
    value = declaration.value if isinstance(declaration, ast.Assign | ast.AnnAssign) else None
    runs: list[ast.expr] = []
    if isinstance(value, ast.Call):
        runs = [*value.args[:1], *(word.value for word in value.keywords if word.arg == "run")]
    return ast.Expr(value=ast.Tuple(elts=[*runs], ctx=ast.Load()))


def _dump(node: object) -> str:
    """Like `ast.dump`, without empty fields: each Python adds some of its own, such as `type_params`."""
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return f"{type(node).__name__}({', '.join(f'{name}={_dump(value)}' for name, value in fields)})"
    return f"[{', '.join(map(_dump, node))}]" if isinstance(node, list) else repr(node)


def _is_text(statement: ast.stmt) -> bool:
    """A docstring, or any other string that stands alone."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _imports(body: list[ast.stmt]) -> frozenset[str]:
    """The seqlab modules that the code names; `from seqlab.models import lstm` may name a module too."""
    names: set[str] = set()
    for node in ast.walk(ast.Module(body=body, type_ignores=[])):
        match node:
            case ast.Import():
                names.update(alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                names.add(module)
                names.update(f"{module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if name.startswith("seqlab."))


def _file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
