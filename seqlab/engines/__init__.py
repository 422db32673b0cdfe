"""What does a rendering engine do? It turns a project folder into `report.html` and `report.pdf`.

A project folder holds `_quarto.yml`, `report.qmd` (the whole document, without code cells), the
figures as SVG, `references.bib` and `theme/`. Quarto renders it where it is installed; otherwise pandoc
and Typst, which Quarto itself runs, render the same document.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Format = Literal["html", "pdf"]
FORMATS: tuple[Format, ...] = ("html", "pdf")
DOCUMENT = "report.qmd"
OUTPUT = "_output"  # the output-dir of _quarto.yml


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The documents, the engine that made them, and its messages.

    A format is None where it was not asked for, or could not be made though another could: then `problems`
    says why.
    """

    html: Path | None
    pdf: Path | None
    engine: str
    version: str
    messages: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Render(Protocol):
    """How every engine is called. `timeout` is in seconds, for each document.

    Raises `RenderError` where no format can be made.
    """

    def __call__(
        self, project: Path, *, formats: tuple[Format, ...] = FORMATS, timeout: float = 300.0
    ) -> Rendered: ...
