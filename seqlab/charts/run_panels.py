"""What does one run show in an image grid? A plain value, known without matplotlib."""

from dataclasses import dataclass

from seqlab.notebook.artifacts import Panel


@dataclass(frozen=True)
class RunPanels:
    """The panels of one run, and its title (empty if there is only one run)."""

    title: str
    panels: tuple[Panel, ...]
