"""`anyio.Lock`, on whichever runtime it finds itself."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any

import anyio

from . import Locks

IS_PLAIN = hasattr(getattr(anyio, "Lock", None), "acquire_nowait")
MAKE = anyio.Lock if IS_PLAIN else anyio.create_lock
"""Before 3.0, anyio makes locks that are those of the runtime in a thin coat, and some of their calls are awaited."""


class AnyioMutex:
    """An `anyio.Lock`."""

    def __init__(self, **options: Any) -> None:
        """Make it, for the runtime of the calling task."""
        self._lock = MAKE(**options)

    def acquire(self) -> Coroutine[Any, Any, object]:
        """Return the coroutine that takes it."""
        coroutine: Coroutine[Any, Any, object] = self._lock.acquire()
        return coroutine

    def try_acquire(self) -> object:
        """Take it, or raise `anyio.WouldBlock`."""
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


CAPABILITIES = ["try-acquire", "is-locked", "debug"] if IS_PLAIN else ["is-locked", "debug"]
LACKS = {} if IS_PLAIN else {"try-acquire": f"anyio {version('anyio')} has no Lock.acquire_nowait"}


class NoFastAcquire(Exception):
    """This release has no `fast_acquire`."""


def locks() -> Locks:
    """Return anyio's locks as they come."""
    return Locks("anyio", version("anyio"), AnyioMutex, CAPABILITIES, LACKS)


def fast_locks() -> Locks:
    """Return anyio's locks that give no other task a turn when they are free.

    Raises `NoFastAcquire` for a release without them.
    """
    makers = [anyio.Lock.__new__, anyio.Lock.__init__] if IS_PLAIN else []
    if not any("fast_acquire" in inspect.signature(maker).parameters for maker in makers):
        raise NoFastAcquire(
            f"anyio {version('anyio')} has no fast_acquire; install 4.5.0 or later, or choose the backend without -fast"
        )
    return Locks("anyio", version("anyio"), lambda: AnyioMutex(fast_acquire=True), CAPABILITIES, {})
