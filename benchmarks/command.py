"""What the commands of the benchmarks have in common: quiet while they measure, then JSON or tables."""

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

from rich.console import Console

Report = dict[str, Any]


def measure_and_print(
    measure: Callable[[], Report], print_report: Callable[[Report, Console], None], *, as_json: bool
) -> None:
    """Measure and print the report: as JSON, or as `print_report` shows it in a terminal."""
    with warnings.catch_warnings():
        # Lightning still asks torch for the type of a leaf in the old way
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
        report = measure()
    if as_json:
        json.dump(report, sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        print_report(report, Console())
