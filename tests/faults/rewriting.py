"""In which ways is a Python file edited at random: for the eye alone, or so that its results may change?"""

import ast
import random
from collections.abc import Callable


def comment(text: str, rng: random.Random) -> str:
    """A comment above a statement."""
    lines, rows = text.split("\n"), [node.lineno for node in ast.parse(text).body]
    lines.insert(rng.choice(rows) - 1, f"# note {rng.random()}")
    return "\n".join(lines)


def trailing_comment(text: str, rng: random.Random) -> str:
    """A comment at the end of the file, and blank lines."""
    return f"{text}\n\n# {rng.random()}\n"


def layout(text: str, rng: random.Random) -> str:
    """Everything written anew: quotes, brackets, line breaks."""
    return ast.unparse(ast.parse(text)) + "\n"


def unused_import(text: str, rng: random.Random) -> str:
    """One more import that nothing uses, after the docstring."""
    body = ast.parse(text).body
    row = next((node.lineno for node in body if not isinstance(node, ast.Expr)), 1)
    added = ["import json", "import math as _math", "from collections import deque", "import numpy as _n",
             "from seqlab.models import gru", "from seqlab.training import rates, loop",
             "from experiments import _behind", "from seqlab.notebook.claims import Claim"]  # fmt: skip
    lines = text.split("\n")
    lines.insert(row - 1, rng.choice(added))
    return "\n".join(lines)


def reordered_imports(text: str, rng: random.Random) -> str:
    """The first block of imports in another order."""
    lines = text.split("\n")
    body = ast.parse(text).body
    first = next((i for i, node in enumerate(body) if isinstance(node, ast.Import | ast.ImportFrom)), None)
    if first is None or " import *" in text:  # a star may bind any name: the order counts
        return comment(text, rng)
    last = first
    while last + 1 < len(body) and isinstance(body[last + 1], ast.Import | ast.ImportFrom):
        last += 1
    block = ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in body[first : last + 1]]
    rng.shuffle(block)
    lines[body[first].lineno - 1 : body[last].end_lineno] = block
    return "\n".join(lines)


def docstring(text: str, rng: random.Random) -> str:
    """Another docstring for a function or class, or for the module."""
    tree = ast.parse(text)
    places = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    lines = text.split("\n")
    if not places or rng.random() < 0.3:
        first = tree.body[0]
        if isinstance(first, ast.Expr) and first.end_lineno:
            lines[first.lineno - 1 : first.end_lineno] = [f'"""Said otherwise {rng.random()}."""']
            return "\n".join(lines)
        return f'"""Said now {rng.random()}."""\n{text}'
    body = rng.choice(places).body[0]
    start = body.lineno - len(getattr(body, "decorator_list", []))
    lines.insert(start - 1, " " * body.col_offset + f'"""Says {rng.random()}."""')
    return "\n".join(lines)


def notation(text: str, rng: random.Random) -> str:
    """A number written in another way."""
    found = [node for node in _numbers(text) if node.value != 0]
    if not found:
        return comment(text, rng)
    node = rng.choice(found)
    other = hex(node.value) if isinstance(node.value, int) else f"{node.value!r}0e0"
    return _replaced(text, node, other.replace("e-", "00e-") if "e" in repr(node.value) else other)


def split_imports(text: str, rng: random.Random) -> str:
    """Each name imported by a statement of its own."""
    tree = ast.parse(text)
    found = [node for node in tree.body if isinstance(node, ast.ImportFrom) and len(node.names) > 1]
    if not found:
        return comment(text, rng)
    node, lines = rng.choice(found), text.split("\n")
    parts = [ast.ImportFrom(node.module, [name], node.level) for name in node.names]
    lines[node.lineno - 1 : node.end_lineno] = [ast.unparse(part) for part in parts]
    return "\n".join(lines)


def for_types(text: str, rng: random.Random) -> str:
    """An import for a type checker alone."""
    rows = [node.lineno for node in ast.parse(text).body if not isinstance(node, ast.Expr)]
    lines = text.split("\n")
    lines[min(rows, default=1) - 1 : min(rows, default=1) - 1] = [
        "from typing import TYPE_CHECKING as _CHECKING",
        "if _CHECKING:",
        "    from seqlab.models import gru",
    ]
    return "\n".join(lines)


def line_endings(text: str, rng: random.Random) -> str:
    """The ends of lines as on Windows, with or without its mark at the beginning."""
    return rng.choice(["", "\ufeff"]) + text.replace("\n", "\r\n")


def encoding_named(text: str, rng: random.Random) -> str:
    """The encoding named in the first line."""
    return f"# -*- coding: utf-8 -*-\n{text}"


def same_again(text: str, rng: random.Random) -> str:
    """The same once more, at another time."""
    return text


def number(text: str, rng: random.Random) -> str:
    """Another number."""
    found = _numbers(text)
    if not found:
        return statement(text, rng)
    node = rng.choice(found)
    return _replaced(text, node, repr(node.value + rng.choice((1, 2, 5))))


def word(text: str, rng: random.Random) -> str:
    """Another text in quotes, docstrings included."""
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.lineno == node.end_lineno
    ]
    if not found:
        return number(text, rng)
    node = rng.choice(found)
    value = node.value.replace("0.5", "0.7") if "0.5" in node.value else f"{node.value}x"
    return _replaced(text, node, repr(value))


def other_name(text: str, rng: random.Random) -> str:
    """Another name imported under that of the old one."""
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.col_offset == 0
    ]
    found = [node for node in found if node.names[0].name in ("LIFT", "pi", "lift")]
    if not found:
        return number(text, rng)
    node, lines = rng.choice(found), text.split("\n")
    old = node.names[0].name
    new = {"LIFT": "__name__", "pi": "e", "lift": "__doc__"}[old]
    module = "." * node.level + (node.module or "")
    lines[node.lineno - 1 : node.end_lineno] = [f"from {module} import {new} as {old}"]
    return "\n".join(lines)


def turned(text: str, rng: random.Random) -> str:
    """A condition, a comparison or a sum turned round."""
    tree = ast.parse(text)
    found = [
        node for node in ast.walk(tree) if isinstance(node, ast.If | ast.IfExp | ast.Compare | ast.BinOp)
    ]
    if not found:
        return number(text, rng)
    match rng.choice(found):
        case ast.If() | ast.IfExp() as node:
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Compare() as node:
            node.ops[0] = ast.NotIn() if isinstance(node.ops[0], ast.In) else ast.Eq()
        case ast.BinOp() as node:
            node.left, node.right = node.right, node.left
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def statement(text: str, rng: random.Random) -> str:
    """One more statement at the end, which binds a name that others may use."""
    return f"{text}\nLIFT = {rng.random():.3f}\n"


def dropped(text: str, rng: random.Random) -> str:
    """A statement at the top left out."""
    body = ast.parse(text).body
    if len(body) < 2:
        return number(text, rng)
    node, lines = rng.choice(body), text.split("\n")
    del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines)


def _numbers(text: str) -> list[ast.Constant]:
    return [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant)
        and type(node.value) in (int, float)
        and node.lineno == node.end_lineno
    ]


def _replaced(text: str, node: ast.Constant, new: str) -> str:
    lines = text.split("\n")
    line = lines[node.lineno - 1].encode()
    lines[node.lineno - 1] = (line[: node.col_offset] + new.encode() + line[node.end_col_offset :]).decode()
    return "\n".join(lines)


Edit = Callable[[str, random.Random], str]
COSMETIC: tuple[Edit, ...] = (
    comment, trailing_comment, layout, unused_import, unused_import, reordered_imports, docstring, notation,
    split_imports, for_types, line_endings, encoding_named, same_again,
)  # fmt: skip
SEMANTIC: tuple[Edit, ...] = (number, number, word, statement, dropped, other_name, turned)
