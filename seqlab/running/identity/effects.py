"""Does importing a module do more than define names?

If so, an import of it counts even where nothing uses its name, and so does the order of two such imports: one
may have changed what the other reads.
"""

import ast
from collections.abc import Iterable

# Calls that make a value and change nothing else.
_CALM = """
    abs abstractmethod all any arange array bool bytes cache cached_property cast combinations compile
    contextmanager custom_function dataclass dict enumerate field filter finfo float format frozenset
    fromkeys geomspace get_args getLogger getattr iinfo int isinstance items join keys len linspace list
    log log2 lower lru_cache map max min namedtuple ones overload partial product property range repeat
    replace repr reversed round runtime_checkable set setter sorted split sqrt staticmethod classmethod
    str strip sum total_ordering tuple upper values wraps zeros zip
"""
CALM = frozenset(_CALM.split())
# It calls the module's own functions and makes objects of classes, which could do anything; it does more.
CALLS, ACTS = 1, 2


def effect(body: Iterable[ast.stmt]) -> int:
    """0 where the statements only define; `CALLS` where they also call what is defined; `ACTS` otherwise."""
    statements = list(body)
    own = {node.name for node in statements if isinstance(node, ast.FunctionDef)}
    return max((_of_statement(node, own) for node in statements), default=0)


def _of_statement(node: ast.stmt, own: set[str]) -> int:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return 0
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            values = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
            return max((_of_value(value, own, decorates=True) for value in values if value), default=0)
        case ast.ClassDef():
            decorators = [_of_value(value, own, decorates=True) for value in node.decorator_list]
            return max([_of_body(node.body, own), *decorators])
        case ast.Assign():
            return _of_value(node.value, own) if all(map(_is_name, node.targets)) else ACTS
        case ast.AnnAssign():
            return (_of_value(node.value, own) if node.value else 0) if _is_name(node.target) else ACTS
        case ast.Expr():
            return 0 if isinstance(node.value, ast.Constant) else ACTS
        case ast.If():
            return max(_of_value(node.test, own), _of_body(node.body, own), _of_body(node.orelse, own))
        case ast.Try():
            handlers = [statement for handler in node.handlers for statement in handler.body]
            return _of_body([*node.body, *handlers, *node.orelse, *node.finalbody], own)
    return ACTS


def _of_body(body: list[ast.stmt], own: set[str]) -> int:
    return max((_of_statement(node, own) for node in body), default=0)


def _is_name(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) or (
        isinstance(target, ast.Tuple | ast.List) and all(map(_is_name, target.elts))
    )


def _of_value(value: ast.expr, own: set[str], *, decorates: bool = False) -> int:
    found = 0
    queue: list[ast.AST] = [value]
    while queue:
        node = queue.pop()
        match node:
            case ast.Lambda():
                continue
            case ast.NamedExpr() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return ACTS
            case ast.Call():
                found = max(found, _of_callee(node.func, own))
            case ast.Name() | ast.Attribute() if decorates and node is value:
                found = max(found, _of_callee(node, own))
        queue.extend(ast.iter_child_nodes(node))
    return found


def _of_callee(callee: ast.expr, own: set[str]) -> int:
    match callee:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            if name in CALM:
                return 0
            return CALLS if name in own or name.strip("_")[:1].isupper() else ACTS
    return ACTS
