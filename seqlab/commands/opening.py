"""`seqlab open`: where is the last report? Shown in the browser."""

import argparse
import webbrowser

from seqlab.commands.common import workspace_of
from seqlab.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Print the path of the last report and open it in the browser, where one can be started."""
    report, _ = workspace_of(options).finished
    if not report.is_file():
        raise UsageError(f"expected a report at {report}, found none. Run `seqlab report` first.")
    print(report)
    if not webbrowser.open(report.as_uri()):
        print("No browser could be started here; open this file with one.")
    return 0
