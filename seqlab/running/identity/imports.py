"""Which imports of a source are used, and how are they written so that order and unused ones do not matter?

An import counts where its name occurs anywhere in the code. Order within a block of imports does not; that
imported modules may act on each other is looked at in `digests`, which sees those modules.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

# With these a name can be looked up by its text, so any import may be used.
FUTURE = "__future__"  # changes how the source is read
LOOK_UP_NAMES = frozenset(["eval", "exec", "globals", "locals", "vars"])


@dataclass(frozen=True)
class Import:
    """One name that an import statement binds: `from MODULE import NAME as BINDING`, `import MODULE`."""

    module: str  # with leading dots where it is relative
    name: str  # empty for `import MODULE`
    binding: str
    node: ast.stmt = field(compare=False)  # a statement that imports this name alone

    @property
    def statement(self) -> str:
        """The import as text."""
        return ast.unparse(self.node)

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it may load: what is imported from a package may be a module."""
        separator = "" if self.module.endswith(".") else "."
        return (self.module, f"{self.module}{separator}{self.name}") if self.name else (self.module,)


def of_statement(node: ast.AST) -> Iterator[Import]:
    """Each name that an import statement binds; nothing for another statement."""
    match node:
        case ast.Import():
            for alias in node.names:
                single = ast.Import(names=[alias])
                yield Import(alias.name, "", alias.asname or alias.name, single)
        case ast.ImportFrom():
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                one = ast.ImportFrom(module=node.module, names=[alias], level=node.level)
                yield Import(module, alias.name, alias.asname or alias.name, one)


def used_names(nodes: Iterable[ast.AST]) -> Callable[[str], bool]:
    """Whether a name that an import binds is used in the code."""
    names = set[str]()
    for node in nodes:
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Global):
            names.update(node.names)
    if names & LOOK_UP_NAMES:
        return lambda binding: True
    return lambda binding: binding.partition(".")[0] in names


def normalise(
    body: list[ast.stmt], is_used: Callable[[str], bool], order: Callable[[ast.stmt], str]
) -> tuple[list[ast.stmt], list[Import]]:
    """The statements with each block of imports sorted and without unused ones; and the unused ones."""
    kept, unused, block = list[ast.stmt](), list[Import](), list[ast.stmt]()
    for node in [*body, None]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            block.append(node)
            continue
        found = [one for statement in block for one in of_statement(statement)]
        used = [one for one in found if is_used(one.binding) or one.binding == "*" or one.module == FUTURE]
        if any(one.binding == "*" for one in used):  # it may bind any name, so the order counts
            kept.extend(one.node for one in used)
        else:  # of two that bind the same name, the last wins
            kept.extend(sorted({one.binding: one.node for one in used}.values(), key=order))
        unused.extend(one for one in found if one not in used)
        block = []
        if node is not None:
            kept.append(node)
    return kept, unused
