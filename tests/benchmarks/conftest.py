"""What pytest-benchmark's table leaves out: the figures that are not times of the whole call."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print each benchmark's extra figures beside its name."""
    session = getattr(config, "_benchmarksession", None)
    rows = [(bench.name, bench.extra_info) for bench in session.benchmarks] if session else []
    if any(info for _, info in rows):
        terminalreporter.section("figures beside the times")
    for name, info in rows:
        for what, value in info.items():
            terminalreporter.write_line(f"{name}: {what}: {value:.3g}")
