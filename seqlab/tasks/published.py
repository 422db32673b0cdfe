"""What has been published of historical training runs, by whom, where, and how was it read?

    model     what       value   unit  source            place       how
    "GPT-3"   "tokens"   3e11    ""    brown2020language table 2.1   reprint

These figures test sentences about the past; nothing is trained on them. `Published.agreed` gives a figure to
base a verdict on: one that two statements support within 5 %. What is known only from a sentence that others
quote is kept, marked, and never counts. A figure that can be computed from others of its source counts as a
statement, since the sum could have come out otherwise.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

from seqlab.errors import UsageError, unknown
from seqlab.tasks import files

How = Literal["source", "reprint", "quoted", "computed"]
TOLERANCE = 0.05  # of the larger: within it two statements say the same


@dataclass(frozen=True)
class Source:
    """`key` is that of the bibliography; `date` is when it first appeared."""

    key: str
    name: str
    date: date


@dataclass(frozen=True)
class Figure:
    """One published number, with where it stands and how it was read."""

    model: str
    what: str
    value: float
    unit: str
    source: Source
    place: str
    how: How

    @property
    def counts(self) -> bool:
        """Whether a verdict may rest on it."""
        return self.how != "quoted"


@dataclass(frozen=True)
class Shape:
    """Sizes of a published model: `width` is that of all heads of a layer together, `context` is in tokens.

    `active` is the share of the layers and parameters that a token meets.
    """

    layers: int
    width: int
    context: int
    active: float = 1.0


# GPT-3: Brown et al., 2020, table 2.1. PaLM: Chowdhery et al., 2022, table 1 and section 2.1 (heads of 256).
# T5: Raffel et al., 2020, section 3.7, encoder and decoder together, of which a token meets one.
SHAPES: Mapping[str, Shape] = {
    "GPT-3": Shape(96, 12_288, 2_048),
    "PaLM 8B": Shape(32, 16 * 256, 2_048),
    "PaLM 62B": Shape(64, 32 * 256, 2_048),
    "PaLM": Shape(118, 48 * 256, 2_048),
    "T5": Shape(2 * 24, 128 * 128, 512, active=0.5),
}


@dataclass(frozen=True)
class Published:
    """All figures, in the order of the file, and their sources by key."""

    figures: tuple[Figure, ...]
    sources: Mapping[str, Source]

    def named(self, model: str, what: str) -> tuple[Figure, ...]:
        """All statements of one figure that count. `UsageError` where there is none."""
        found = tuple(
            figure
            for figure in self.figures
            if (figure.model, figure.what) == (model, what) and figure.counts
        )
        if not found:
            known = [f"{figure.model}: {figure.what}" for figure in self.figures]
            raise UsageError(unknown("figure", f"{model}: {what}", dict.fromkeys(known)))
        return found

    def value(self, model: str, what: str) -> float:
        """The first statement of a figure, as the file orders them."""
        return self.named(model, what)[0].value

    def agreed(self, model: str, what: str) -> float:
        """The first statement of a figure, if a second one supports it within 5 %.

        `UsageError` where there is no second one, or where any that counts differs.
        """
        found = self.named(model, what)
        values = [figure.value for figure in found]
        if len(values) < 2 or max(values) - min(values) > TOLERANCE * max(values):
            stated = ", ".join(f"{figure.value:g} ({figure.source.key})" for figure in found)
            raise UsageError(
                f"expected two statements within 5 % of {model}: {what}, found {stated}. Base no verdict on "
                "it, or add a source to seqlab/tasks/data/published.toml."
            )
        return values[0]

    def updates(self, model: str) -> float:
        """Training steps. GPT-3's are its tokens over those of its largest batch, fewer than it took."""
        if model == "GPT-3":
            return self.value(model, "tokens") / self.value(model, "tokens a step")
        return self.value(model, "steps")


def relative_difference(allowed: tuple[float, float], figure: float) -> float:
    """How far the figure is from the nearest number of an allowed range, relative to the larger of both."""
    nearest = min(max(allowed[0], figure), allowed[1])
    return abs(nearest - figure) / max(nearest, figure, 1e-300)  # 0 where both are zero


@cache
def load() -> Published:
    """The packaged figures. Raises `DataError` where their file is missing or altered."""
    stored = tomllib.loads(files.path("published.toml").read_text(encoding="utf-8"))
    sources = {row["key"]: Source(**row) for row in stored["source"]}
    figures = tuple(
        Figure(**{**row, "value": float(row["value"]), "source": sources[row["source"]]})
        for row in stored["figure"]
    )
    return Published(figures, sources)
