"""The process in which JAX is measured, where JAX is installed."""

import importlib.util
import json
import os
import subprocess
import sys

from benchmarks.workload import Cost


def is_installed() -> bool:
    """Return whether JAX can be imported, without importing it."""
    return importlib.util.find_spec("jax") is not None


class JaxWorker:
    """The process that measures JAX, one thread wide; programs stay compiled between rounds."""

    def __init__(self, num_rows: int) -> None:
        options = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.jax_loop", str(num_rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "XLA_FLAGS": options, "JAX_PLATFORMS": "cpu"},
        )

    def measure(self, steps: int, *, replicas: int) -> Cost:
        """Measure `steps` steps of R replicas."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the JAX process has no pipes")
        self._process.stdin.write(f"{replicas} {steps}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the JAX process ended with code {self._process.wait()}")
        return Cost(**json.loads(answer))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
