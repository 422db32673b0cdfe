"""Which of MLX's environment variables does a page need? MLX reads them once, when it opens the device."""

from collections.abc import Mapping
from dataclasses import fields

from seqlab.notebook.experiment import Experiment

# float32 products without TF32, which keeps 10 bits of a fraction (`enable_tf32` in MLX's utils.h).
PRECISE = {"MLX_ENABLE_TF32": "0"}
# One operation a command buffer or graph, so that a peak of memory is that of the work and not of the queue
# (`max_ops_per_buffer` there). It makes a page slower, whose peaks are no times.
ONE_AT_A_TIME = {"MLX_MAX_OPS_PER_BUFFER": "0"}
PEAK = "peak_memory"
# What provenance calls them.
TOLD = {"MLX_ENABLE_TF32": "TF32", "MLX_MAX_OPS_PER_BUFFER": "operations a buffer"}


def environment(page: Experiment, kind: str) -> Mapping[str, str]:
    """The variables for the worker of a page's trials on a device of this kind; none on a CPU."""
    if kind != "gpu":
        return {}
    return (PRECISE if page.precise else {}) | (ONE_AT_A_TIME if _tells_peaks(page) else {})


def _tells_peaks(page: Experiment) -> bool:
    """Whether a rule or a figure of the page is about the peak of memory."""
    named = {claim.rule.metric for claim in page.claims}
    for figure in page.figures:
        for field in fields(figure):
            value = getattr(figure, field.name)
            named.update([value] if isinstance(value, str) else value if isinstance(value, tuple) else ())
    return PEAK in named
