"""A process that is asked to leave, as a cluster does before it takes the machine back: in order, and with its state.

SIGTERM asks, and SIGUSR1, which `sbatch --signal` sends. What must not be cut short runs under `deferred`; whatever
else is going on ends at once.
"""

import signal
import threading
from collections.abc import Callable, Iterator
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
    """Of this process: what becomes of a signal, the first that came, and whether it must wait."""

    handler: Callable[[int, FrameType | None], None] | None = None
    by: str | None = None
    waits: bool = False
    has_workers: Callable[[], bool] = lambda: False


_ASKED = _Asked()


@contextmanager
def heeded() -> Iterator[None]:
    """Have SIGTERM and SIGUSR1 raise Preempted in this process, once, wherever it is not `deferred`.

    A process that was asked is on its way out: it raises Preempted at once. Python delivers signals to the main thread
    alone; elsewhere this does nothing.
    """
    leave_if_asked()
    if _ASKED.handler is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _ASKED.handler = _receive
    reinstate()
    try:
        yield
    finally:
        _ASKED.handler = None
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Keep the signals for later, here and, until they `leave_to_others`, in processes that are started here."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_others() -> None:
    """Disregard the signals from here on, in a process that another one asks: a cluster sends them to all."""
    _ASKED.handler = _disregard
    reinstate()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


@contextmanager
def deferred(waits: bool = True) -> Iterator[None]:
    """Have a request wait: what runs here asks for it by `asked` and ends in order, then `leave_if_asked`.

    With `waits=False`, within what waits, it is at once again.
    """
    before, _ASKED.waits = _ASKED.waits, waits
    try:
        if not waits:
            leave_if_asked()
        yield
    finally:
        _ASKED.waits = before


@contextmanager
def waiting_for_workers(has_workers: Callable[[], bool]) -> Iterator[None]:
    """Have the first request wait for worker processes, where there are any: a cluster asks them too, and they leave.

    The second is at once.
    """
    before, _ASKED.has_workers = _ASKED.has_workers, has_workers
    try:
        yield
    finally:
        _ASKED.has_workers = before


def reinstate() -> None:
    """Take the signals back, where they are heeded, from a library that has put a handler of its own before ours."""
    if _ASKED.handler is not None and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, _ASKED.handler)


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
    # only one: a cluster sends several, and the second must not cut short what the first began
    first, _ASKED.by = _ASKED.by is None, _ASKED.by or signal.Signals(number).name
    if not _ASKED.waits and first is not _ASKED.has_workers():
        raise Preempted(_ASKED.by)


def _disregard(number: int, frame: FrameType | None) -> None:
    """Do nothing; not SIG_IGN, which processes started from here would inherit."""
