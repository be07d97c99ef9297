"""The most memory that tensors take at any moment of a call."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

# what torch's allocator logs, past Python, of memory that is given back in a call and was taken before: the norms'
# running statistics, every time
OF_NO_CONCERN = b"was allocated before the profiling started"


def most_allocated(run: Callable[[], None], *, device: torch.device | None = None) -> int:
    """Return the most bytes of torch's memory taken during a call and not yet given back.

    On a CPU by torch's own profiler of allocations: unlike the size of the process it repeats from run to run, and is
    not buried under the libraries loaded. On a GPU by its allocator. What was held before the call does not count, nor
    what the libraries' products need inside.
    """
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces its start and end otherwise
    with _without_lines_of(OF_NO_CONCERN), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as taken:
        run()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        taken.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    now = most = 0
    for event in sorted((each for each in events if each["name"] == "[memory]"), key=lambda each: each["ts"]):
        now += event["args"]["Bytes"]
        most = max(most, now)
    return most


@contextmanager
def _without_lines_of(text: bytes) -> Iterator[None]:
    """Leave lines with the text out of what this process writes on stderr meanwhile, from whatever language."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if text not in line:
                    os.write(2, line)
