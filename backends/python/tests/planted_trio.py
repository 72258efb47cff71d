"""Locks on trio with a known fault or habit each, for the worker of `planted`."""

from __future__ import annotations

from typing import Any

import trio

import planted_anywhere
from planted_anywhere import Lock


class Sound(Lock):
    """Hands over to the longest waiter."""

    would_block = trio.WouldBlock

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

    async def _sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def _hand_over(self) -> None:
        if self._waiters:
            trio.lowlevel.reschedule(self._waiters.popleft())
        else:
            self._locked = False


class BadYield(Sound):
    """Waits for something that is not trio's."""

    async def _acquire(self) -> None:
        if self._locked:
            import asyncio

            await asyncio.sleep(0)
        self._locked = True


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


class TimesOut(Sound):
    """Waits for an hour, and no longer."""

    async def _acquire(self) -> None:
        with trio.fail_after(3600):
            await super()._acquire()


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


FAULTS: list[type[Any]] = [
    *planted_anywhere.over(Sound),
    Sound,
    BadYield,
    InNursery,
    MixedGroup,
    Shielded,
    Swallows,
    CleansUp,
    TimesOut,
    InThread,
]
