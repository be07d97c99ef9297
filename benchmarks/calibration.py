"""`python -m benchmarks.calibration [intervals|aa|power|all]`: is the board right as often as it says?

Are 95 % intervals right 95 % of the time, is "real" said of nothing in at most 5 %, and how many seeds does a verdict
take? `docs/calibration.md` is what `--markdown` prints.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.calibration_aa import measure_aa
from benchmarks.calibration_intervals import measure_intervals
from benchmarks.calibration_power import measure_power
from benchmarks.calibration_report import page

Report = dict[str, Any]
WIDTH = 160
PARTS: dict[str, Callable[[bool, Path | None], Report]] = {
    "intervals": lambda quick, keep: measure_intervals(simulations=500 if quick else 4_000, quick=quick),
    "aa": lambda quick, keep: measure_aa(num_pairs=20 if quick else 400, keep=keep),
    "power": lambda quick, keep: measure_power(simulations=400 if quick else 10_000),
}


def measure(parts: Sequence[str], *, quick: bool, keep: Path | None = None) -> Report:
    """Return the report of every part; a part that `keep` holds is taken from there, and put there once measured."""
    report: Report = {"quick": quick}
    for name in parts:
        path = None if keep is None else keep / f"{name}-{'quick' if quick else 'whole'}.json"
        if path is not None and path.exists():
            report[name] = json.loads(path.read_text(encoding="utf-8"))
            continue
        start = time.process_time()
        report[name] = PARTS[name](quick, keep) | {"processor_seconds": time.process_time() - start}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(report[name], indent=2), encoding="utf-8")
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("part", nargs="?", choices=(*PARTS, "all"), default="all", help="what to measure (default all)")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten: fewer simulations and seeds")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of tables")
    form.add_argument("--markdown", action="store_true", help="print the page docs/calibration.md")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep finished parts there and go on from them")
    chosen = parser.parse_args(arguments)
    with warnings.catch_warnings():
        # Lightning still asks torch for the type of a leaf in the old way
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
        report = measure(list(PARTS) if chosen.part == "all" else [chosen.part], quick=chosen.quick, keep=chosen.keep)
    if chosen.json:
        json.dump(report, sys.stdout, indent=2, allow_nan=False)
        print()
    elif chosen.markdown:
        print(page(report), end="")
    else:
        # narrower, the tables lose their columns
        Console(width=max(WIDTH, Console().width)).print(Markdown(page(report)))


if __name__ == "__main__":
    main()
