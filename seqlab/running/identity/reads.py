"""Whose docstrings, or whose source text, does a source read as data?

Then they count too. `lstm.__doc__` reads those of `lstm`, a bare `__doc__` the module's own. Where it cannot
be told whose they are, they may be any module's.
"""

import ast
from collections.abc import Iterable, Sequence

from seqlab.running.identity.imports import Import

DOCSTRINGS = frozenset(["__doc__", "getdoc", "help", "pydoc", "doctest", "__code__", "co_consts"])
_TEXT = """
    co_firstlineno currentframe f_lineno findsource get_source get_source_segment getcomments getframeinfo
    getsource getsourcelines linecache tb_lineno _getframe
"""
TEXT = frozenset(_TEXT.split())
ANY, OWN = "*", ""


def read_of(nodes: Sequence[ast.AST], kind: frozenset[str], imports: Iterable[Import]) -> set[str]:
    """The last parts of the names of the modules that are read; `nodes` are all of the source, in order."""
    wanted, bound = kind, {one.binding: one for one in imports}
    own = {
        node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    found, seen = set[str](), set[ast.AST]()

    def add(value: ast.AST) -> None:
        root = value
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name):
            found.add(ANY)
        elif root.id in bound:
            one = bound[root.id]
            found.update(part.rpartition(".")[2] or ANY for part in (*one.modules, _dotted(value)))
        else:
            found.add(OWN if root.id in own else ANY)

    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[first, *_]) if (
                name in wanted and name != "__doc__"
            ):
                # A class may inherit its docstring from another module's.
                last = _dotted(first).rpartition(".")[2]
                found.add(ANY) if name == "getdoc" and not last.islower() else add(first)
                seen.add(node.func)
            case ast.Attribute(attr="__doc__") if "__doc__" in wanted:
                add(node.value)
            case ast.Name(id="__doc__") if "__doc__" in wanted:
                found.add(OWN)
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in wanted and node not in seen:
                found.add(ANY)
            case ast.alias(name=name) if name.rpartition(".")[2] in wanted - {"getsource", "getsourcelines"}:
                found.add(ANY)
            case ast.Constant(value="__doc__") if "__doc__" in wanted:
                found.add(ANY)
    return found


def _dotted(value: ast.AST) -> str:
    match value:
        case ast.Attribute(value=inner, attr=name):
            return f"{_dotted(inner)}.{name}"
        case ast.Name(id=name):
            return name
    return ""
