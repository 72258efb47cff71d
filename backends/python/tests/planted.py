"""Locks with a known fault each, and a worker that runs them: `python -m planted --backend asyncio+FAULT`.

The tests see whether the events show the fault. None of them can be reached from the worker itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

from keyalike_worker import backends, worker
from keyalike_worker.locks import Locks


class Sound:
    """A lock without an owner that hands over to the longest waiter."""

    def __init__(self) -> None:
        self._locked = False
        self._waiters: deque[asyncio.Future[None]] = deque()

    def acquire(self) -> Coroutine[Any, Any, object]:
        return self._acquire()

    async def _acquire(self) -> None:
        if not self._locked:
            self._locked = True
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise

    def _give_up(self, waiter: asyncio.Future[None]) -> None:
        if waiter.cancelled():
            self._waiters.remove(waiter)
        else:
            self.release()

    def try_acquire(self) -> object:
        if self._locked:
            raise BlockingIOError
        self._locked = True
        return None

    def release(self) -> object:
        if not self._locked:
            raise RuntimeError("not locked")
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return None
        self._locked = False
        return None

    def is_locked(self) -> bool:
        return self._locked


class LostWakeup(Sound):
    """Frees itself and tells nobody."""

    def release(self) -> object:
        self._locked = False
        return None


class LeakyCancel(Sound):
    """A waiter that is granted and cancelled keeps what nobody can give back."""

    def _give_up(self, waiter: asyncio.Future[None]) -> None:
        if waiter.cancelled():
            self._waiters.remove(waiter)


class Barging(Sound):
    """Frees itself and wakes a waiter, who must try again."""

    async def _acquire(self) -> None:
        while self._locked:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        self._locked = True

    def release(self) -> object:
        self._locked = False
        if self._waiters:
            self._waiters.popleft().set_result(None)
        return None


class TwoHolders(Sound):
    """Grants whatever is asked."""

    async def _acquire(self) -> None:
        self._locked = True


class Owned(Sound):
    """Takes itself back from its owner alone."""

    async def _acquire(self) -> None:
        await super()._acquire()
        self._owner = asyncio.current_task()

    def release(self) -> object:
        if asyncio.current_task() is not self._owner:
            raise PermissionError("not yours")
        return super().release()


class Spinning(Sound):
    """Waits by looking again and again."""

    async def _acquire(self) -> None:
        while self._locked:
            await asyncio.sleep(0)
        self._locked = True


FAULTS = [Sound, LostWakeup, LeakyCancel, Barging, TwoHolders, Owned, Spinning]


def plant() -> None:
    """Add a backend for every fault."""
    for fault in FAULTS:
        locks = Locks(fault.__name__, "0", fault, [], {})
        name = f"asyncio+{fault.__name__}"
        backends.BACKENDS[name] = lambda locks=locks: backends.asyncio_backend(lambda: locks, True)  # type: ignore[misc]


if __name__ == "__main__":
    plant()
    raise SystemExit(worker.main())
