"""Did the code that produced a result change in a way that could change the result?

The fingerprint of a page hashes the syntax trees of the page and of every seqlab module that it
imports, directly or through others, without comments, docstrings and formatting. Two things are left
out on purpose. The statement `experiment = Experiment(...)` only says which trials to run, what is
claimed and what is shown: factors and settings identify a trial anyway, and a changed rule must not
discard evidence (the report tells of it instead). The vocabulary holds words, not measurements.
"""

import ast
from functools import cache
from hashlib import sha256
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
VOCABULARY = frozenset(f"seqlab.{name}" for name in ("errors", "metrics", "figures", "claims", "experiment"))


def fingerprint(page: Path) -> str:
    """The fingerprint of a page (16 hex digits)."""
    source = page.read_bytes()
    found = {"": _digest_page(source)}
    queue = list(_imports(source))
    while queue:
        module = queue.pop()
        path = _file(module)
        if path is None or module in found or module in VOCABULARY:
            continue
        found[module], further = _module(path)
        queue.extend(further)
    return sha256("\n".join(f"{name} {found[name]}" for name in sorted(found)).encode()).hexdigest()[:16]


@cache
def _module(path: Path) -> tuple[str, frozenset[str]]:
    source = path.read_bytes()
    return _digest(ast.parse(source).body), _imports(source)


def _digest_page(source: bytes) -> str:
    return _digest([node for node in ast.parse(source).body if not _declares_experiment(node)])


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
    return sha256(ast.dump(tree).encode()).hexdigest()


def _is_text(statement: ast.stmt) -> bool:
    """A docstring, or any other string that stands alone."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _imports(source: bytes) -> frozenset[str]:
    """The seqlab modules that the source names; `from seqlab.models import lstm` may name a module too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
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
