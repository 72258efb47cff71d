"""Locks on trio with a known fault or habit each, for the worker of `planted`."""

from __future__ import annotations

from collections import deque
from typing import Any

import trio


class Sound:
    """A lock without an owner that hands over to the longest waiter."""

    def __init__(self) -> None:
        self._locked = False
        self._waiters: deque[Any] = deque()

    def acquire(self) -> Any:
        return self._acquire()

    async def _acquire(self) -> None:
        if not self._locked:
            self._locked = True
            return
        task = trio.lowlevel.current_task()
        self._waiters.append(task)

        def give_up(_: object) -> Any:
            self._waiters.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(give_up)

    def try_acquire(self) -> object:
        if self._locked:
            raise trio.WouldBlock
        self._locked = True
        return None

    def release(self) -> object:
        if not self._locked:
            raise RuntimeError("not locked")
        if self._waiters:
            trio.lowlevel.reschedule(self._waiters.popleft())
        else:
            self._locked = False
        return None

    def is_locked(self) -> bool:
        return self._locked


class BadIsLocked(Sound):
    def is_locked(self) -> bool:
        raise ValueError("is_locked broke")


class BadRepr(Sound):
    def __repr__(self) -> str:
        raise ValueError("repr broke")


class RaisesAtCall(Sound):
    def acquire(self) -> Any:
        if self._locked:
            raise RuntimeError("would deadlock")
        return super().acquire()


class OtherAwaitable(Sound):
    def acquire(self) -> Any:
        coroutine = super().acquire()

        class Waiting:
            def __await__(self) -> Any:
                return coroutine.__await__()

        return Waiting()


class BadYield(Sound):
    """Waits for something that is not trio's."""

    async def _acquire(self) -> None:
        if self._locked:
            import asyncio

            await asyncio.sleep(0)
        self._locked = True


class Odd(BaseException):
    """What `except Exception` does not catch."""


class Raising(Sound):
    error: type[BaseException] = Odd

    async def _acquire(self) -> None:
        if self._locked:
            raise self.error("not for you")
        self._locked = True


class Exiting(Raising):
    error = SystemExit


class Interrupting(Raising):
    error = KeyboardInterrupt


class Closing(Raising):
    error = GeneratorExit


class RaisingRelease(Sound):
    def release(self) -> object:
        raise SystemExit("not from you")


class InNursery(Sound):
    """Waits in a task of its own."""

    async def _acquire(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super()._acquire)


class MixedGroup(Sound):
    """Answers a cancellation with a group in which there is more than that."""

    async def _acquire(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super()._acquire)
            nursery.start_soon(self._fail)

    async def _fail(self) -> None:
        if self._locked:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("and this")


class Shielded(Sound):
    """Cannot be cancelled."""

    async def _acquire(self) -> None:
        with trio.CancelScope(shield=True):
            await super()._acquire()


class Swallows(Sound):
    """Waits on, however often it is cancelled."""

    async def _acquire(self) -> None:
        while True:
            try:
                return await super()._acquire()
            except trio.Cancelled:
                pass


class CleansUp(Sound):
    """Waits for something else before it lets its cancellation through."""

    async def _acquire(self) -> None:
        try:
            await super()._acquire()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
                await trio.sleep(5)
            raise


class Sleeps(Sound):
    """Thinks before it takes."""

    async def _acquire(self) -> None:
        await trio.sleep(0.01)
        await super()._acquire()


class TimesOut(Sound):
    """Waits for an hour, and no longer."""

    async def _acquire(self) -> None:
        with trio.fail_after(3600):
            await super()._acquire()


class Polls(Sound):
    """Looks every now and then."""

    async def _acquire(self) -> None:
        while self._locked:
            await trio.sleep(0.5)
        self._locked = True


class InThread(Sound):
    """Works in threads."""

    async def _acquire(self) -> None:
        import time

        await super()._acquire()
        await trio.to_thread.run_sync(time.sleep, 0.02)

    def release(self) -> object:
        import threading

        token = trio.lowlevel.current_trio_token()
        threading.Timer(0.02, token.run_sync_soon, [super().release]).start()
        return None


class AsyncRelease(Sound):
    async def release(self) -> None:
        super().release()


FAULTS: list[type[Any]] = [
    Sound,
    BadIsLocked,
    BadRepr,
    RaisesAtCall,
    OtherAwaitable,
    BadYield,
    Raising,
    Exiting,
    Interrupting,
    Closing,
    RaisingRelease,
    InNursery,
    MixedGroup,
    Shielded,
    Swallows,
    CleansUp,
    Sleeps,
    TimesOut,
    Polls,
    InThread,
    AsyncRelease,
]
