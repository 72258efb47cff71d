"""`asyncio.Lock`."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Coroutine
from typing import Any

from . import Locks

NO_TRY = "asyncio.Lock has no acquire that does not wait"


class AsyncioMutex:
    """An `asyncio.Lock`."""

    def __init__(self) -> None:
        """Make it on the running event loop."""
        self._lock = asyncio.Lock()

    def acquire(self) -> Coroutine[Any, Any, object]:
        """Return the coroutine that takes it."""
        return self._lock.acquire()

    def try_acquire(self) -> object:
        """Refuse: there is no such call."""
        raise NotImplementedError(NO_TRY)

    def release(self) -> None:
        """Give it back. Any task may: asyncio keeps no owner."""
        self._lock.release()

    def is_locked(self) -> bool:
        """Return whether somebody holds it."""
        return self._lock.locked()

    def __repr__(self) -> str:
        """Return what the library prints."""
        return repr(self._lock)


def locks() -> Locks:
    """Return the locks of asyncio, whose version is Python's."""
    return Locks("asyncio", platform.python_version(), AsyncioMutex, ["is-locked", "debug"], {"try-acquire": NO_TRY})
