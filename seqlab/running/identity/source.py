"""What of a Python source can change a result?

Its syntax tree, without comments, layout, docstrings and unused imports, each block of imports in one order.
Of a page's `experiment = Experiment(...)` only the arguments that say how a trial runs count: the rest says
which trials to run, what is claimed and what is shown. Any other way to bind `experiment` counts whole.
What depends on the other files is kept beside: names that they may ask of this one, docstrings that they may
read. The result does not depend on the version of Python.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from seqlab.running.identity import imports
from seqlab.running.identity.asks import ANY, ATTRIBUTES, Ask, asks_by_use, asks_of, words
from seqlab.running.identity.effects import ACTS, effect
from seqlab.running.identity.reads import DOCSTRINGS, TEXT, read_of

# How a trial runs. The values are defaults, which may be left out.
CIRCUMSTANCES = {"parallel_over": "Tuple()", "exclusive": "Dict()", "precise": "Constant(value=False)"}
_CHANGES_IN_PLACE = """
    add append clear discard extend insert pop popitem remove reverse setdefault sort update
"""
CHANGES_IN_PLACE = frozenset(_CHANGES_IN_PLACE.split())
_LOADS_MODULES = """
    exec_module import_module load_module module_from_spec run_module run_path
    spec_from_file_location SourceFileLoader __import__
"""
LOADS_MODULES = frozenset(_LOADS_MODULES.split())
# Fields of nodes that hold names and numbers, or whether a name is read or bound.
WITHOUT_NODES = frozenset(["arg", "attr", "ctx", "id", "kind", "level", "module", "name", "type_comment"])
KEPT_BY_NAME = ("__all__", "__version__")  # assigned names that count only where another file asks for them


@dataclass(frozen=True)
class Source:
    """One source, as far as results depend on it.

    `imports`: (module, binding) in the order of the text. `spare`: names bound at the top that this file does
    not use, each with the statement and with what that asks in turn. `asks`: what it asks of other modules;
    `ATTRIBUTES` are any of the `words` of all. `reads_docstrings` and `reads_text`: last parts of the names
    of modules whose docstrings or source text it reads; empty for its own, `ANY` for any.
    """

    code: str
    docstrings: str = ""
    text: str = ""
    imports: tuple[tuple[str, str], ...] = ()
    spare: Mapping[str, tuple[str, tuple[Ask, ...]]] = field(default_factory=dict)
    asks: tuple[Ask, ...] = ()
    words: tuple[str, ...] = ()
    reads_docstrings: tuple[str, ...] = ()
    reads_text: tuple[str, ...] = ()
    effect: int = 0


def digest(text: str | bytes) -> str:
    """A short hash: 16 hex digits."""
    return sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:16]


def summarise(content: bytes, *, is_page: bool = False) -> Source:
    """The summary of a source; one that is no Python counts by its bytes."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return Source(digest(content), effect=ACTS)
    effects = effect(tree.body)
    docstrings = _take_docstrings(tree)
    for_types = _names_of_type_checking(tree)
    tree.body = [node for node in tree.body if not _is_for_types_only(node, for_types)]
    if is_page and (declaration := _plain_declaration(tree)) is not None:
        tree.body = [_how_trials_run(declaration) if node is declaration else node for node in tree.body]
    named = {name: node for node in tree.body if (name := _assigned_name(node)) in KEPT_BY_NAME}
    tree.body = [node for node in tree.body if node not in named.values()]
    nodes = list(_in_order(tree))
    found = [one for node in nodes for one in imports.of_statement(node)]
    reads = {kind: tuple(sorted(read_of(nodes, kind, found))) for kind in (DOCSTRINGS, TEXT)}
    is_used = imports.used_names(nodes)
    tree.body, unused = imports.normalise(tree.body, is_used, _dump)
    dropped = set(unused)
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body, others = imports.normalise(node.body, is_used, _dump)
            dropped.update(others)
    nothing: tuple[Ask, ...] = ()
    spare = {name: (_dump(node), nothing) for name, node in named.items()}
    spare |= {one.binding: (one.statement, asks_of(one)) for one in unused}
    loaded = sorted(_loaded_by_text(nodes))
    asks = set(asks_by_use(nodes, [one for one in found if one not in dropped]))
    asks |= {(name, ATTRIBUTES) for name in loaded}
    asks |= {(ANY, ATTRIBUTES)} if _loads_modules(nodes) and not loaded else set()
    return Source(
        code=digest(_dump(tree)),
        docstrings=docstrings,
        text=digest(content),
        imports=tuple(
            dict.fromkeys(
                [(module, one.binding) for one in found for module in one.modules]
                + [(name, "") for name in loaded]
            )
        ),
        spare=spare,
        asks=tuple(sorted(asks)),
        words=tuple(sorted(words(nodes, found))),
        reads_docstrings=reads[DOCSTRINGS],
        reads_text=reads[TEXT],
        effect=effects,
    )


def _take_docstrings(tree: ast.Module) -> str:
    """Remove docstrings, and other texts that stand alone; returns a hash of the docstrings."""
    found = list[str]()
    for node in _in_order(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.body and _is_text(node.body[0]):
                found.append(f"{getattr(node, 'name', '')} {_dump(node.body[0])}")
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return digest("\n".join(found))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and _is_constant_text(statement.value)


def _is_constant_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _names_of_type_checking(tree: ast.Module) -> set[str]:
    """The names of `typing.TYPE_CHECKING` in a source, and with a dot those of `typing` itself."""
    found = {one.binding: one for node in tree.body for one in imports.of_statement(node)}
    bound = {
        node.id for node in _in_order(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return {
        name if one.name else f"{name}."
        for name, one in found.items()
        if name not in bound and (one.module, one.name) in (("typing", "TYPE_CHECKING"), ("typing", ""))
    }


def _is_for_types_only(node: ast.stmt, names: set[str]) -> bool:
    match node:
        case ast.If(test=ast.Name(id=name), orelse=[]):
            return name in names
        case ast.If(test=ast.Attribute(value=ast.Name(id=module), attr="TYPE_CHECKING"), orelse=[]):
            return f"{module}." in names
    return False


def _assigned_name(node: ast.stmt) -> str:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _plain_declaration(tree: ast.Module) -> ast.Assign | ast.AnnAssign | None:
    """The page's `experiment = Experiment(...)`; None where it is bound, read or built in any other way."""
    names = [node for node in _in_order(tree) if isinstance(node, ast.Name)]
    odd = imports.LOOK_UP_NAMES & {node.id for node in names}
    if odd or sum(node.id == "experiment" for node in names) != 1:
        return None
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="experiment")], value=ast.Call() as call)
                | ast.AnnAssign(target=ast.Name(id="experiment"), value=ast.Call() as call)
            ):
                return node if _is_plain(call, tree) else None
    return None


def _is_plain(call: ast.Call, tree: ast.Module) -> bool:
    """Whether the call is of the notebook's Experiment, and its arguments only say values."""
    ours = {
        one.binding
        for node in tree.body
        for one in imports.of_statement(node)
        if one.name == "Experiment" and one.module.startswith("seqlab.notebook")
    }
    if not isinstance(call.func, ast.Name) or call.func.id not in ours:
        return False
    if len(call.args) > 1 or any(isinstance(one, ast.Starred) for one in call.args):
        return False
    acting = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
    for node in ast.walk(call):
        if isinstance(node, acting) or (isinstance(node, ast.keyword) and _is_unpacked(node, call)):
            return False
        if isinstance(node, ast.Attribute) and node.attr in CHANGES_IN_PLACE:
            return False
    return not any(isinstance(node, ast.Global) for node in _in_order(tree))


def _is_unpacked(word: ast.keyword, call: ast.Call) -> bool:
    return word.arg is None and word in call.keywords


def _how_trials_run(declaration: ast.Assign | ast.AnnAssign) -> ast.stmt:
    """The arguments of the declaration that count, as a statement."""
    assert isinstance(declaration.value, ast.Call)
    run = [*declaration.value.args]
    others = list[ast.expr]()
    for word in sorted(declaration.value.keywords, key=lambda word: word.arg or ""):
        if word.arg == "run":
            run.append(word.value)
        elif word.arg in CIRCUMSTANCES and _dump(word.value) != CIRCUMSTANCES[word.arg]:
            others.append(ast.Tuple(elts=[ast.Constant(value=word.arg), word.value], ctx=ast.Load()))
    return ast.Expr(value=ast.Tuple(elts=[*run, *others], ctx=ast.Load()))


def _in_order(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes in the order of the text."""
    queue: list[ast.AST] = [tree]
    while queue:
        node = queue.pop()
        yield node
        for name in reversed(node._fields):
            if name in WITHOUT_NODES:
                continue
            child = getattr(node, name, None)
            if isinstance(child, ast.AST):
                queue.append(child)
            elif isinstance(child, list):
                queue += [one for one in reversed(child) if isinstance(one, ast.AST)]


def _loaded_by_text(nodes: Sequence[ast.AST]) -> set[str]:
    """Modules that `import_module("...")` or `__import__("...")` names."""
    found = set[str]()
    for node in nodes:
        match node:
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ) if name:
                found.add(name)
    return found


def _loads_modules(nodes: Sequence[ast.AST]) -> bool:
    """Whether it may load a module whose name cannot be told."""
    for node in nodes:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in LOADS_MODULES:
                return True
            case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
                return True
            case ast.ImportFrom(module="sys", names=names) if any(alias.name == "modules" for alias in names):
                return True
    return False


def _dump(node: object) -> str:
    """Like `ast.dump`, without empty fields: each Python adds some of its own, such as `type_params`."""
    if isinstance(node, ast.AST):
        fields = list[str]()
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != [] and name != "ctx":
                fields.append(f"{name}={_dump(value)}")
        return f"{type(node).__name__}({', '.join(fields)})"
    return f"[{', '.join(map(_dump, node))}]" if isinstance(node, list) else repr(node)
