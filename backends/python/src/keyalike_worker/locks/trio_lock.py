"""`trio.Lock` and `trio.StrictFIFOLock`."""

from __future__ import annotations

from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any

import trio

from . import Locks


class TrioMutex:
    """A `trio.Lock`."""

    def __init__(self) -> None:
        """Make it."""
        self._lock = trio.Lock()

    def acquire(self) -> Coroutine[Any, Any, object]:
        """Return the coroutine that takes it."""
        coroutine: Coroutine[Any, Any, object] = self._lock.acquire()
        return coroutine

    def try_acquire(self) -> object:
        """Take it, or raise `trio.WouldBlock`."""
        return self._lock.acquire_nowait()

    def release(self) -> object:
        """Give it back. Only the task that took it may."""
        return self._lock.release()

    def is_locked(self) -> bool:
        """Return whether somebody holds it."""
        return bool(self._lock.locked())

    def __repr__(self) -> str:
        """Return what the library prints."""
        return repr(self._lock)


class StrictFifoMutex(TrioMutex):
    """A `trio.StrictFIFOLock`."""

    def __init__(self) -> None:
        """Make it."""
        self._lock = trio.StrictFIFOLock()


CAPABILITIES = ["try-acquire", "is-locked", "debug"]


def locks() -> Locks:
    """Return trio's plain locks."""
    return Locks("trio", version("trio"), TrioMutex, CAPABILITIES, {})


def strict_fifo_locks() -> Locks:
    """Return trio's locks that promise their order."""
    return Locks("trio", version("trio"), StrictFifoMutex, CAPABILITIES, {})
