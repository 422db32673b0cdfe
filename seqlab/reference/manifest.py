"""What do many runs of the reference share, and which files belong to it?

The manifest lists each page's file with its hash, and says when the page's rules were fixed. It tells once,
by number, what runs share: their settings, the code that they used, and the circumstances under which they
were measured. A number stays what it is for as long as a run has it: new runs change no line of the others.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from seqlab.reference.problems import problem

SCHEMA = 1
WHAT = "Seqlab's reference: finished trainings of the learning pages. Made by `nox -s reference`."
MANIFEST = "manifest.json"

T = TypeVar("T")


class Numbered(Generic[T]):
    """Values with numbers from 1. A new value gets the next one."""

    def __init__(self, known: Mapping[int, T] | None = None) -> None:
        self._values = dict(known or {})
        self._numbers = {_text(value): number for number, value in self._values.items()}
        self._asked = set[int]()

    def number(self, value: T) -> int:
        """The value's number."""
        number = self._numbers.setdefault(_text(value), max(self._values, default=0) + 1)
        self._values[number] = value
        self._asked.add(number)
        return number

    def __getitem__(self, number: Any) -> T:
        if not isinstance(number, int) or number not in self._values:
            raise ValueError(f"the manifest has no number {number!r}")
        return self._values[number]

    def again(self) -> "Numbered[T]":
        """The same numbers, of which none was asked."""
        return Numbered(self._values)

    def asked(self) -> dict[int, T]:
        """Those of which the number was asked: what the runs that were written share."""
        return {number: self._values[number] for number in sorted(self._asked)}


@dataclass(frozen=True)
class Code:
    """The code that a run used: its fingerprint, and the state of each file and package by its name."""

    fingerprint: str
    used: Mapping[str, str]


@dataclass(frozen=True)
class PageFile:
    """A page's file: its hash and its number of lines."""

    sha256: str
    runs: int


@dataclass
class Manifest:
    """What is beside the runs."""

    pages: dict[str, PageFile] = field(default_factory=dict)
    settings: Numbered[dict[str, Any]] = field(default_factory=Numbered)
    codes: Numbered[Code] = field(default_factory=Numbered)
    about: Numbered[dict[str, Any]] = field(default_factory=Numbered)
    states: Numbered[str] = field(default_factory=Numbered)  # "name: state" of what codes used
    rules: dict[str, dict[str, str]] = field(default_factory=dict)  # page -> "claim digest" -> when fixed

    def emptied(self) -> "Manifest":
        """Without pages, and with the same numbers."""
        return Manifest(
            {},
            self.settings.again(),
            self.codes.again(),
            self.about.again(),
            self.states.again(),
            {page: dict(rules) for page, rules in self.rules.items()},
        )

    def text(self) -> str:
        """The manifest as JSON, a line for each thing it tells, without what no run has."""
        codes = {
            number: {
                "fingerprint": code.fingerprint,
                "used": " ".join(
                    str(self.states.number(f"{name}: {state}")) for name, state in _sorted(code)
                ),
            }
            for number, code in self.codes.asked().items()
        }
        said = {
            "what": WHAT,
            "schema": SCHEMA,
            "pages": {name: {"sha256": one.sha256, "runs": one.runs} for name, one in self.pages.items()},
            "rules": {page: self.rules[page] for page in self.pages if self.rules.get(page)},
            "about": self.about.asked(),
            "settings": self.settings.asked(),
            "codes": codes,
            "states": self.states.asked(),
        }
        return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def manifest_of(text: str, *, where: str) -> Manifest:
    """The manifest that the text tells."""
    try:
        said = json.loads(text)
        ours, schema = said["what"].startswith("Seqlab's reference"), said["schema"]
    except (AttributeError, KeyError, TypeError, ValueError):
        ours, schema = False, None
    if not ours:
        raise problem(f"the manifest of a reference in {where}", "something else")
    if schema != SCHEMA:
        age = "a newer" if isinstance(schema, int) and schema > SCHEMA else "another"
        raise problem(f"schema {SCHEMA} in {where}", f"schema {schema!r}, written by {age} Seqlab")
    try:
        states = {int(number): str(state) for number, state in said["states"].items()}
        return Manifest(
            pages={
                str(name): PageFile(str(one["sha256"]), int(one["runs"]))
                for name, one in said["pages"].items()
            },
            settings=Numbered({int(number): dict(one) for number, one in said["settings"].items()}),
            codes=Numbered({int(number): _code(one, states) for number, one in said["codes"].items()}),
            about=Numbered({int(number): _about(one) for number, one in said["about"].items()}),
            states=Numbered(states),
            rules={str(page): _fixed(rules) for page, rules in said["rules"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise problem(f"a whole manifest in {where}", f"{type(error).__name__}: {error}") from error


def _code(said: Mapping[str, str], states: Mapping[int, str]) -> Code:
    used = dict(states[int(number)].rsplit(": ", 1) for number in said["used"].split())
    return Code(str(said["fingerprint"]), used)


def _fixed(said: Mapping[str, str]) -> dict[str, str]:
    return {rule: datetime.fromisoformat(fixed).isoformat() for rule, fixed in said.items()}


def _about(said: Mapping[str, Any]) -> dict[str, Any]:
    if not all(isinstance(said.get(name), str) for name in ("device", "mlx")):
        raise ValueError("circumstances without a device or a version of MLX")
    return dict(said)


def _sorted(code: Code) -> list[tuple[str, str]]:
    return sorted(code.used.items())


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=vars)
