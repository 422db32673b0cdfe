"""In which order does the report tell things? In parts with claims and chapters, `report/outline.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlab.errors import RenderError

FILE = "outline.toml"


@dataclass(frozen=True)
class Part:
    """A part: its claims by id, and its pages, each with a short title."""

    title: str
    question: str = ""
    claims: tuple[str, ...] = ()
    chapters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Domain:
    """A row of the forest: the rule of this claim on this page."""

    name: str
    page: str
    claim: str


@dataclass(frozen=True)
class Property:
    """What networks of these levels have and others lack; a rule of the page compares both."""

    name: str
    page: str
    levels: Mapping[str, Any]


@dataclass(frozen=True)
class Outline:
    """The report's parts, and what the front page shows: `chain` names a page, a metric and its factors."""

    parts: tuple[Part, ...] = ()
    domains: tuple[Domain, ...] = ()
    properties: tuple[Property, ...] = ()
    chain: Mapping[str, Any] = field(default_factory=dict)

    def complete(self, claims: Sequence[str], pages: Sequence[str]) -> tuple[Part, ...]:
        """The parts with these claims and pages alone; those that no part names stand in a last one."""
        parts = [
            Part(
                part.title,
                part.question,
                tuple(claim for claim in part.claims if claim in claims),
                {page: title for page, title in part.chapters.items() if page in pages},
            )
            for part in self.parts
        ]
        known = {name for part in self.parts for name in (*part.claims, *part.chapters)}
        others = tuple(claim for claim in claims if claim not in known)
        further = {page: "" for page in pages if page not in known}
        if others or further:
            parts.append(Part("Further questions", "", others, further))
        return tuple(part for part in parts if part.claims or part.chapters)


def read(sources: Path) -> Outline:
    """The outline in the report's folder; an empty one where it has none. `RenderError` for a broken one."""
    path = sources / FILE
    if not path.is_file():
        return Outline()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        parts = tuple(
            Part(part["title"], part["question"], tuple(part["claims"]), dict(part["chapters"]))
            for part in found.get("part", [])
        )
        forest = found.get("forest", {})
        domains = tuple(Domain(name, one["page"], one["claim"]) for name, one in forest.items())
        properties = tuple(
            Property(one["name"], one["page"], one["levels"]) for one in found.get("property", [])
        )
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise RenderError(f"cannot read {path}: {error}. Correct that line.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise RenderError(
            f"{path}: expected title, question, claims, chapters of each part, page and claim of each "
            f"domain, name, page and levels of each property: {error}."
        ) from error
    return Outline(parts, domains, properties, found.get("chain", {}))
