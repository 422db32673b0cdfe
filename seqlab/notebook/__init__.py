"""What an experiment page says: trials, claims, measurements and figures. Standard library only.

This is the one door for page authors: `from seqlab.notebook import Budget, Claim, Experiment, grid`.
Everything else in seqlab imports from the module that defines a name.
"""

from seqlab.notebook.artifacts import Artifact, Panel
from seqlab.notebook.claims import Claim, Difference, Exact, Matched, Ratio, Slope
from seqlab.notebook.experiment import Budget, Experiment, Factors, Point, Trial, Tuning, grid
from seqlab.notebook.figures import (
    Attachment,
    Curve,
    Heatmap,
    ImageGrid,
    Interval,
    Level,
    Scale,
    Table,
    TextSamples,
    Tradeoff,
    Where,
)
from seqlab.notebook.metrics import Measurement

__all__ = [
    "Artifact", "Attachment", "Budget", "Claim", "Curve", "Difference", "Exact", "Experiment", "Factors",
    "Heatmap", "ImageGrid", "Interval", "Level", "Matched", "Measurement", "Panel", "Point", "Ratio", "Scale",
    "Slope", "Table", "TextSamples", "Tradeoff", "Trial", "Tuning", "Where", "grid",
]  # fmt: skip
