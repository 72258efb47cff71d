"""Locks of the worker's own, on which it tries out how a runtime cancels. No scenario meets them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any


class AsyncioMeasure:
    """Waits for a future, and hands over."""

    def __init__(self) -> None:
        """Make it free."""
        self._is_locked = False
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Take it."""
        if self._is_locked:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        self._is_locked = True

    def try_acquire(self) -> None:
        """Take it if it is free."""
        if self._is_locked:
            raise BlockingIOError
        self._is_locked = True

    def release(self) -> None:
        """Give it back."""
        if self._waiters:
            self._waiters.popleft().set_result(None)
        else:
            self._is_locked = False

    def is_locked(self) -> bool:
        """Return whether somebody holds it."""
        return self._is_locked


class TrioMeasure(AsyncioMeasure):
    """Sleeps until it is scheduled, and hands over."""

    def __init__(self) -> None:
        """Make it free."""
        self._is_locked = False
        self._sleepers: deque[Any] = deque()

    async def acquire(self) -> None:
        """Take it."""
        import trio

        if self._is_locked:
            sleeper = trio.lowlevel.current_task()
            self._sleepers.append(sleeper)

            def give_up(_raise_cancel: object) -> Any:
                self._sleepers.remove(sleeper)
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(give_up)
        self._is_locked = True

    def release(self) -> None:
        """Give it back."""
        import trio

        if self._sleepers:
            trio.lowlevel.reschedule(self._sleepers.popleft())
        else:
            self._is_locked = False
