"""A process that is asked to leave, as a cluster does before it takes the machine back: in order, and with its state.

SIGTERM asks, and SIGUSR1, which `sbatch --signal` sends. What must not be cut short runs under `deferred`; whatever
else is going on ends at once.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

# "try again later" of sysexits.h: nothing failed, and the same command goes on
EXIT_CODE = 75
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


class Preempted(BaseException):
    """This process was asked to leave, and does. No Exception: nothing that goes on after errors goes on after it."""


@dataclass
class _Asked:
    """Of this process: whether it heeds, the signal that came, and whether it must wait."""

    heeds: bool = False
    by: str | None = None
    waits: bool = False


_ASKED = _Asked()


@contextmanager
def heeded() -> Iterator[None]:
    """Have SIGTERM and SIGUSR1 raise Preempted in this process, once, wherever it is not `deferred`.

    A process that was asked is on its way out: it raises Preempted at once. Python delivers signals to the main thread
    alone; elsewhere this does nothing.
    """
    leave_if_asked()
    if _ASKED.heeds or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _ASKED.heeds = True
    reinstate()
    try:
        yield
    finally:
        _ASKED.heeds = False
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """Have a request wait: what runs here asks for it by `asked` and ends in order, then `leave_if_asked`."""
    before, _ASKED.waits = _ASKED.waits, True
    try:
        yield
    finally:
        _ASKED.waits = before


def reinstate() -> None:
    """Take the signals back, where they are heeded, from a library that has put a handler of its own before ours."""
    if _ASKED.heeds and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, _receive)


def asked() -> bool:
    """Return whether this process was asked to leave."""
    return _ASKED.by is not None


def ask(by: str) -> None:
    """Ask this process to leave at the next step, as a signal does: of a rank, on behalf of its job."""
    _ASKED.by = _ASKED.by or by


def leave_if_asked() -> None:
    """Raise Preempted where this process was asked to leave."""
    if _ASKED.by is not None:
        raise Preempted(_ASKED.by)


def _receive(number: int, frame: FrameType | None) -> None:
    # only the first: a cluster sends several, and the second must not cut short what the first began
    first, _ASKED.by = _ASKED.by is None, _ASKED.by or signal.Signals(number).name
    if first and not _ASKED.waits:
        raise Preempted(_ASKED.by)
