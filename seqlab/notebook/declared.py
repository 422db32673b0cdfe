"""How does a page measure something that the catalogue of metrics lacks? It declares the metric itself.

The catalogue (`notebook.metrics`) is part of what every trial used: an entry that is added there makes all
stored results old. A metric that one page alone measures is therefore declared in that page, before its
`experiment`, and belongs to that page's results only.
"""

from seqlab.errors import UsageError
from seqlab.notebook.metrics import METRICS, Metric


def declare(metric: Metric) -> str:
    """Make the metric known and return its name.

    Raises `UsageError` where another one has that name: a metric of the catalogue, or of another page.
    """
    known = METRICS.setdefault(metric.name, metric)
    if known != metric:
        raise UsageError(
            f"the metric {metric.name!r} is declared with another meaning: {known.title!r}, not "
            f"{metric.title!r}. Use that one, or choose another name."
        )
    return metric.name
