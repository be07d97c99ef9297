"""Two nodes of Ray on this machine, for the benchmark of sweeps and the tests of launchers."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
NODE = ("--num-cpus=1", "--num-gpus=1", "--object-store-memory=78643200", "--disable-usage-stats", "--block")
START_SECONDS = 60


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """Two nodes of Ray on this machine, one processor and one pretended GPU each.

    `environment` is what a sweep needs to join them. Raises RuntimeError where a node does not start.
    """

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ray-")  # its sockets' paths have to be short
        self.address = f"127.0.0.1:{_free_port()}"
        self.environment = {
            "RAY_ADDRESS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "PYTHONPATH": str(REPOSITORY),
        }
        self.nodes: list[subprocess.Popen[bytes]] = []
        head = ("--head", "--node-ip-address=127.0.0.1", f"--port={self.address.partition(':')[2]}")
        # the ports of workers have to leave the one that was free out
        ports = ("--min-worker-port=0", "--max-worker-port=0")
        try:
            self._start(*head, *ports, "--include-dashboard=false", f"--temp-dir={self.folder}")
            self.add()
        except BaseException:
            self.stop()
            raise

    def add(self) -> None:
        """Start another node."""
        self._start(f"--address={self.address}", "--node-ip-address=127.0.0.1")

    def _start(self, *options: str) -> None:
        output = Path(self.folder, f"{secrets.token_hex(4)}.txt")
        with output.open("wb") as file:
            node = subprocess.Popen(
                [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", *options, *NODE],
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.nodes.append(node)
        until = time.monotonic() + START_SECONDS
        while "Ray runtime started" not in (said := output.read_text()):
            if node.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"a node of Ray did not start:\n{said}")
            time.sleep(0.2)

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """Kill a node with all that it started, as a machine that loses its power."""
        with suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def stop(self) -> None:
        """Kill all nodes and remove what they wrote."""
        for node in reversed(self.nodes):
            self.kill(node)
        shutil.rmtree(self.folder, ignore_errors=True)
