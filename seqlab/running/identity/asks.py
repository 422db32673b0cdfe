"""Which names does a source ask other modules for?

A module may bind a name that it does not use itself, for others to import. So an import that a module itself
does not use counts where another file asks the module for its name.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from seqlab.running.identity.imports import Import

ANY, EVERYTHING, ATTRIBUTES = "*", "*", "."
Ask = tuple[str, str]  # a module as the statement writes it, or `ANY`; a name, `EVERYTHING` or `ATTRIBUTES`

LOOK_UP_ATTRIBUTES = frozenset(["getattr", "hasattr", "setattr", "attrgetter", "__dict__", "vars"])
LONGEST_NAME = 40  # characters of a text that may be the name of an attribute


def asks_of(one: Import) -> tuple[Ask, ...]:
    """What an import may ask for, however its name is used."""
    if not one.name or one.name == EVERYTHING:
        return ((one.module, one.name or ATTRIBUTES),)
    return ((one.module, one.name), (one.modules[-1], ATTRIBUTES))  # what is imported may be a module


def asks_by_use(nodes: Sequence[ast.AST], imports: Sequence[Import]) -> Iterator[Ask]:
    """What these imports ask for, by what the source does with their names."""
    attributes: dict[str, set[str]] = {}
    alone = Counter[str]()  # uses of a name other than for an attribute
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                attributes.setdefault(name, set()).add(attribute)
                alone[name] -= 1
            case ast.Name(id=name):
                alone[name] += 1
    for one in imports:
        for module, name in asks_of(one):
            if name == ATTRIBUTES and "." not in one.binding:
                yield from ((module, attribute) for attribute in attributes.get(one.binding, ()))
            if name != ATTRIBUTES or "." in one.binding or alone[one.binding] > 0:
                yield module, name


def words(nodes: Sequence[ast.AST], imports: Sequence[Import]) -> set[str]:
    """The attributes that a module handed on under another name may be asked for.

    Those of `self` and of imported names are not among them; texts are where one looks attributes up by text.
    """
    known = {"self", "cls", *(one.binding for one in imports)}
    found, texts, by_text = set[str](), set[str](), False
    for node in nodes:
        match node:
            case ast.Attribute(value=value, attr=name):
                if not (isinstance(value, ast.Name) and value.id in known):
                    found.add(name)
                by_text |= name in LOOK_UP_ATTRIBUTES
            case ast.Name(id=name):
                by_text |= name in LOOK_UP_ATTRIBUTES
            case ast.Constant(value=str(text)) if len(text) <= LONGEST_NAME and text.isidentifier():
                texts.add(text)
    return found | texts if by_text else found
