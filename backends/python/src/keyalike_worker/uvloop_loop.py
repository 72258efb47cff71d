"""uvloop's event loop, with what quiescence is seen by.

uvloop keeps its queue and its timers to itself. Here every callback is noted when it is scheduled and when it runs, and
timers are kept in Python, so that they follow the clock of the run. Everything is run by uvloop.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any, Callable

import uvloop

from .clock import Clock


class SeenLoop(uvloop.Loop):  # type: ignore[misc]
    """An event loop whose queue and timers can be seen."""

    def __init__(self, clock: Clock) -> None:
        """Make it with a clock."""
        super().__init__()
        self._clock = clock
        self._due: dict[object, Any] = {}
        self._scheduled: list[asyncio.TimerHandle] = []

    @property
    def _ready(self) -> bool:
        """Return whether a callback is to be run."""
        return any(not handle.cancelled() for handle in list(self._due.values()))

    def time(self) -> float:
        """Return the time of the run."""
        return self._clock.now()

    def call_soon(self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None) -> Any:
        """Schedule a callback, and note it."""
        return self._note(super().call_soon, callback, args, context)

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        """Schedule a callback from any thread, and note it."""
        return self._note(super().call_soon_threadsafe, callback, args, context)

    def _note(
        self,
        schedule: Callable[..., Any],
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> Any:
        key = object()

        def run() -> None:
            self._due.pop(key, None)
            callback(*args)

        # Noted first: from another thread, it may have run before `schedule` returns.
        self._due[key] = NOT_CANCELLED
        handle = schedule(run, context=context)
        if key in self._due:
            self._due[key] = handle
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule a callback for later."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule a callback for a time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._scheduled.append(timer)
        return timer

    def _timer_handle_cancelled(self, timer: asyncio.TimerHandle) -> None:
        """Forget a timer that was cancelled."""
        if timer in self._scheduled:
            self._scheduled.remove(timer)

    def fire(self) -> None:
        """Schedule the callbacks of the timers that are due, in their order."""
        now = self.time()
        due = sorted(timer for timer in self._scheduled if timer.when() <= now)
        for timer in due:
            self._scheduled.remove(timer)
            self.call_soon(timer._run)


class NotCancelled:
    """Stands for the handle of a callback that is just being scheduled."""

    @staticmethod
    def cancelled() -> bool:
        """Return that it is not cancelled."""
        return False


NOT_CANCELLED = NotCancelled()
