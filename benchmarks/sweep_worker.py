"""One sweep, in a process that has done nothing before: `python -m benchmarks.sweep_worker OUTPUT ARGUMENT...`.

Runs the command line of `bnbench.train` and writes to OUTPUT what importing it and running it took, as JSON.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path


def main(output: str, *arguments: str) -> None:
    """Import, run, write the times."""
    times = [(time.perf_counter(), time.process_time())]
    train = import_module("bnbench.train")
    times.append((time.perf_counter(), time.process_time()))
    sys.argv = ["bnbench.train", *arguments]
    code: object = 0
    try:
        train.main()
    except SystemExit as ended:
        code = ended.code
    times.append((time.perf_counter(), time.process_time()))
    (start, start_used), (imported, imported_used), (end, end_used) = times
    found = {
        "code": code or 0,
        "import_seconds": imported - start,
        "import_processor_seconds": imported_used - start_used,
        "seconds": end - imported,
        "processor_seconds": end_used - imported_used,
    }
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
