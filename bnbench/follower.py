"""The parent of a sweep's workers: it follows what they leave in the sweep's folder, and knows what they owe."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bnbench.launchers import Engine

SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_FOR_FOLDERS = 60.0  # in which a folder that hosts share shows all of them the same


class Workers:
    """What runs the jobs of a sweep, where the parent does not.

    Until `stop`, `show` is called for every file they leave in `folder`, that of the sweep's notes.
    """

    def __init__(self, engine: Engine, *, runs_dir: Path, folder: Path, show: Callable[[Path], None]) -> None:
        self._engine, self._runs_dir, self._folder, self._show = engine, runs_dir, folder, show
        self._seen: set[Path] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self, *, expected: int = 0) -> None:
        """Let workers go and show what they left last; of so many jobs as are `expected`, or they ended too soon."""
        if self._stopped.is_set():
            return
        until = time.monotonic() + (SECONDS_FOR_FOLDERS if self._engine.on_other_hosts else 0.0)
        while len(self._notes()) < expected and time.monotonic() < until:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        self._engine.end(self._runs_dir, 0 < expected <= len(self._notes()))
        self._stopped.set()
        self._thread.join()
        self._look()

    def _follow(self) -> None:
        while not self._stopped.wait(SECONDS_BETWEEN_LOOKS):
            self._look()

    def _look(self) -> None:
        for path in [*self._folder.glob("shown-*"), *self._notes()]:
            if path not in self._seen:
                try:
                    self._show(path)
                except json.JSONDecodeError:
                    continue  # half written: it comes again
                self._seen.add(path)

    def _notes(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.json"), key=lambda path: int(path.stem))
