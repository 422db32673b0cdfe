"""Which engine renders the report, and why?

`quarto` and `embedded` each ask for one engine. `auto`, the default, takes Quarto where a usable one is
installed; where none is, the report's colophon says why. Nothing is downloaded here.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from seqlab.engines import Render, pandoc, quarto
from seqlab.errors import RenderError, UsageError, unknown

EngineName = Literal["auto", "quarto", "embedded"]

INSTALL = (
    "macOS: brew install --cask quarto; Linux: pip install quarto-cli; "
    "Windows: winget install --id Posit.Quarto"
)


@dataclass(frozen=True)
class Engine:
    """A rendering engine: name, version, one sentence on why it was chosen, and the function that renders."""

    name: Literal["quarto", "embedded"]
    version: str
    reason: str
    render: Render

    @property
    def identity(self) -> str:
        """Name and version: another engine may render the same report differently."""
        return f"{self.name}: {self.version}"

    @property
    def note(self) -> str:
        """Two sentences for the colophon: what rendered the report, and why."""
        return f"It was rendered by {self.version}. {self.reason}"


def choose(name: str = "auto") -> Engine:
    """Find the engine. Raises `RenderError` where the one asked for cannot be used."""
    if name not in get_args(EngineName):
        raise UsageError(unknown("engine", name, get_args(EngineName)))
    if name == "embedded":
        return _embedded("The embedded engine was asked for.")
    try:
        path = quarto.find()
        if path is None:
            raise RenderError("Quarto is not installed.")
        found = quarto.Quarto(path, quarto.version(path))
    except RenderError as problem:
        if name == "quarto":
            raise RenderError(f"{problem} Install it ({INSTALL}), or use --engine embedded.") from None
        return _embedded(
            f"Quarto could not be used ({str(problem).rstrip('.')}), so the embedded engine was used."
        )
    reason = f"Quarto was {'asked for' if name == 'quarto' else 'found'}."
    return Engine("quarto", f"Quarto {found.version}", reason, partial(quarto.render, found))


def _embedded(reason: str) -> Engine:
    return Engine("embedded", pandoc.version(), reason, pandoc.render)
