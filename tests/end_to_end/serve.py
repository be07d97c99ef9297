"""Run `bnbench.train` over and over at the price of one start-up: every run is a fork of this warmed-up process.

    python serve.py

Requests come as lines of JSON on stdin, and each is answered by one line on stdout. `{"arguments", "folder",
"environment", "output", "fault"}` starts a run and is answered by its process id; `{"wait": pid}` is answered by its
exit status as `os.waitstatus_to_exitcode` gives it. A run is a process like any other: it may be killed and
interrupted.
"""

import atexit
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins import basic_launcher
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus

from bnbench import train
from bnbench.config import read_config
from bnbench.datasets import load


def missing(module: str) -> None:
    """Have imports of the module fail, as where it is not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        del sys.modules[name]
    sys.modules[module] = None  # type: ignore[assignment]


def without_launcher(name: str) -> None:
    """Have Hydra not know a launcher, as where its package is not installed."""
    del ConfigStore.instance().repo["hydra"]["launcher"][f"{name}.yaml"]


def limit_file_size(size: int) -> None:
    """Let no file grow beyond so many bytes: a disk that is full for every user, root included."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def lose_jobs(numbers: list[int]) -> None:
    """Have jobs vanish without a word, as in a worker that is killed."""
    run = vars(basic_launcher)["run_job"]

    def lossy(*, config: Any, **others: Any) -> JobReturn:
        if config.hydra.job.num in numbers:
            return JobReturn(status=JobStatus.COMPLETED)
        return run(config=config, **others)

    vars(basic_launcher)["run_job"] = lossy


def break_launcher(number: int) -> None:
    """Have the launcher break down at a job, as when the pool of its workers dies."""
    run = vars(basic_launcher)["run_job"]

    def breaking(*, config: Any, **others: Any) -> JobReturn:
        if config.hydra.job.num == number:
            raise RuntimeError("the pool of workers is gone")
        return run(config=config, **others)

    vars(basic_launcher)["run_job"] = breaking


# what can be wrong with the process of a run, by the name a request arms it with
FAULTS: dict[str, Callable[..., None]] = {
    "missing": missing,
    "jobs lost": lose_jobs,
    "launcher broken": break_launcher,
    "file size limit": limit_file_size,
    "without launcher": without_launcher,
}


def warm_up() -> None:
    """Have everything imported that a run imports as it goes. No thread is started: a fork would not have it."""
    with initialize_config_dir(str(train.CONF), version_base="1.3"):
        load(read_config(compose("config")).dataset)
    GlobalHydra.instance().clear()


def serve() -> dict[str, Any]:
    """Answer requests; return, in the fork, the one to run. Ends with stdin."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                return request
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    sys.exit(0)


def become(request: dict[str, Any]) -> None:
    """Make this fork what a shell would have started."""
    os.setsid()
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor, source in enumerate((nothing, output, output)):
        os.dup2(source, descriptor)
    sys.path[0] = ""
    sys.argv = ["bnbench.train", *request["arguments"]]
    if request["fault"]:
        name, *values = request["fault"]
        FAULTS[name](*values)


def run() -> NoReturn:
    """Run the command and end as the interpreter does, but for taking all modules apart, which takes seconds."""
    code = 0
    try:
        train.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    warm_up()
    become(serve())
    run()
