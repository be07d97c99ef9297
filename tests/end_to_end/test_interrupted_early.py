"""Ctrl-C while a command still imports what it needs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("library", ["hydra", "torch", "lightning"])
def test_it_is_one_line(library: str, tmp_path: Path) -> None:
    """The library says when it is imported, and takes its time."""
    (tmp_path / "sitecustomize.py").write_text(
        "import builtins, signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "original = builtins.__import__\n"
        "def slow(name, *arguments, **options):\n"
        f"    if name == {library!r} and {library!r} not in sys.modules:\n"
        "        print('now', flush=True)\n"
        "        time.sleep(60)\n"
        "    return original(name, *arguments, **options)\n"
        "builtins.__import__ = slow\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "bnbench.train"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert said == "Interrupted before anything began.\n"
    assert process.returncode == -signal.SIGINT
