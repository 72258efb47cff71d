"""Locks with a known fault or habit each, and a worker that runs them: `python -m planted --backend asyncio+FAULT`.

The tests see whether the events show the fault. None of them can be reached from the worker itself.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import queue
import threading
import time
from typing import Any, Callable

import planted_anywhere
from keyalike_worker import backends, worker
from keyalike_worker.locks import Locks
from keyalike_worker.runtime import trap
from planted_anywhere import Lock, Raising


class Sound(Lock):
    """Hands over to the longest waiter."""

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

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _hand_over(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._locked = False


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


class FutureAcquire(Sound):
    """Waits in a task of its own."""

    def acquire(self) -> Any:
        return asyncio.ensure_future(super().acquire())


class NothingToAwait(Sound):
    """Gives nothing to await."""

    def acquire(self) -> Any:
        return None


class BadYield(Sound):
    """Waits for what is no future."""

    async def _acquire(self) -> None:
        if self._locked:
            await trap(5)
        self._locked = True


class Cancelling(Raising, Sound):
    error = asyncio.CancelledError


class RaisingTry(Sound):
    """Raises what ends a program instead of a refusal."""

    def try_acquire(self) -> object:
        raise KeyboardInterrupt


class EndsTheLoop(Sound):
    """Ends the program in a callback of the loop."""

    def release(self) -> object:
        def leave() -> None:
            raise SystemExit(0)

        asyncio.get_running_loop().call_soon(leave)
        return None


class CleansUp(Sound):
    """Waits for something else before it lets its cancellation through."""

    def _give_up(self, waiter: asyncio.Future[None]) -> None:
        raise NotImplementedError

    async def _acquire(self) -> None:
        if not self._locked:
            self._locked = True
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            done = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(done.set_result, None)
            await done
            await asyncio.sleep(0)
            if waiter in self._waiters:
                self._waiters.remove(waiter)


class GrantsLater(Sound):
    """Hands over a while after it was given back."""

    def release(self) -> object:
        if self._waiters:
            waiter = self._waiters.popleft()
            asyncio.get_running_loop().call_later(30, lambda: waiter.done() or waiter.set_result(None))
        else:
            self._locked = False
        return None


class TimesOut(Sound):
    """Waits for an hour, and no longer."""

    async def _acquire(self) -> None:
        await asyncio.wait_for(super()._acquire(), 3600)


class InExecutor(Sound):
    """Gives itself back in a thread of the loop's executor."""

    async def _acquire(self) -> None:
        while self._locked:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.02)
        self._locked = True

    def release(self) -> object:
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self._work, loop)
        return None

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        time.sleep(0.02)
        loop.call_soon_threadsafe(self._free)

    def _free(self) -> None:
        self._locked = False
        if self._waiters:
            self._waiters.popleft().set_result(None)


class InThread(InExecutor):
    """Gives itself back in a thread of its own."""

    def release(self) -> object:
        threading.Thread(target=self._work, args=[asyncio.get_running_loop()], daemon=True).start()
        return None


class InBareThread(InExecutor):
    """Gives itself back in a thread of which `threading` knows nothing."""

    def release(self) -> object:
        _thread.start_new_thread(self._work, (asyncio.get_running_loop(),))
        return None


class WithServant(InExecutor):
    """Has a thread that serves it as long as it lives."""

    def __init__(self) -> None:
        super().__init__()
        self._orders: queue.SimpleQueue[asyncio.AbstractEventLoop] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._work(self._orders.get())

    def release(self) -> object:
        self._orders.put(asyncio.get_running_loop())
        return None


class WaitingRelease(Sound):
    """Has a release that gives way."""

    async def release(self) -> None:
        await asyncio.sleep(0)
        super().release()


class CancelsHolder(Sound):
    """Takes back what is held too long, by cancelling whoever holds it."""

    async def _acquire(self) -> None:
        await super()._acquire()
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(1, task.cancel)


class HangsAtRelease(Sound):
    """Never comes back from a release."""

    def release(self) -> object:
        threading.Event().wait()
        return None


class Unmade(Sound):
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no lock today")


FAULTS: list[type[Any]] = [
    *planted_anywhere.over(Sound),
    Sound,
    LostWakeup,
    LeakyCancel,
    Barging,
    TwoHolders,
    Owned,
    Spinning,
    FutureAcquire,
    NothingToAwait,
    BadYield,
    Cancelling,
    RaisingTry,
    EndsTheLoop,
    CleansUp,
    GrantsLater,
    TimesOut,
    InExecutor,
    InThread,
    InBareThread,
    WithServant,
    WaitingRelease,
    CancelsHolder,
    HangsAtRelease,
    Unmade,
]
CAPABILITIES = ["try-acquire", "is-locked", "debug"]


def plant(runtime: str, faults: list[type[Any]], make: Callable[[Callable[[], Locks]], backends.Backend]) -> None:
    """Add a backend for every fault."""
    for fault in faults:
        locks = Locks(fault.__name__, "0", fault, CAPABILITIES, {})
        backends.BACKENDS[f"{runtime}+{fault.__name__}"] = lambda locks=locks: make(lambda: locks)  # type: ignore[misc]


if __name__ == "__main__":
    plant("asyncio", FAULTS, lambda locks: backends.asyncio_backend(locks, True))
    with contextlib.suppress(ImportError):
        plant("uvloop", FAULTS, lambda locks: backends.uvloop_backend(locks, True))
    with contextlib.suppress(ImportError):
        import planted_trio

        plant("trio", planted_trio.FAULTS, lambda locks: backends.trio_backend(locks, "trio"))
    raise SystemExit(worker.main())
