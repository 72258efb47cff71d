"""Locks with a known fault or habit each that any runtime can have: what is the same of them, whoever waits how."""

from __future__ import annotations

from collections import deque
from typing import Any


class Lock:
    """A lock without an owner. How it waits, hands over and sleeps is for each runtime to say."""

    would_block: type[BaseException] = BlockingIOError

    def __init__(self) -> None:
        self._locked = False
        self._waiters: deque[Any] = deque()

    def acquire(self) -> Any:
        return self._acquire()

    async def _acquire(self) -> None:
        raise NotImplementedError

    async def _sleep(self, seconds: float) -> None:
        raise NotImplementedError

    def try_acquire(self) -> object:
        if self._locked:
            raise self.would_block
        self._locked = True
        return None

    def release(self) -> object:
        if not self._locked:
            raise RuntimeError("not locked")
        self._hand_over()
        return None

    def _hand_over(self) -> None:
        raise NotImplementedError

    def is_locked(self) -> bool:
        return self._locked


class BadIsLocked(Lock):
    """Cannot say whether it is locked."""

    def is_locked(self) -> bool:
        raise ValueError("is_locked broke")


class BadRepr(Lock):
    """Cannot be printed."""

    def __repr__(self) -> str:
        raise ValueError("repr broke")


class RaisesAtCall(Lock):
    """Refuses before there is anything to await."""

    def acquire(self) -> Any:
        if self._locked:
            raise RuntimeError("would deadlock")
        return super().acquire()


class OtherAwaitable(Lock):
    """Gives something to await that is no coroutine."""

    def acquire(self) -> Any:
        coroutine = super().acquire()

        class Waiting:
            def __await__(self) -> Any:
                return coroutine.__await__()

        return Waiting()


class Odd(BaseException):
    """What `except Exception` does not catch."""


class Raising(Lock):
    """Raises what ends a program, or a coroutine."""

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


class RaisingRelease(Lock):
    """Raises what ends a program when it is given back."""

    def release(self) -> object:
        raise SystemExit("not from you")


class AsyncRelease(Lock):
    """Has a release that is awaited."""

    async def release(self) -> None:
        super().release()


class Sleeps(Lock):
    """Thinks before it takes."""

    async def _acquire(self) -> None:
        await self._sleep(0.01)
        await super()._acquire()


class Spins(Lock):
    """Looks again and again."""

    async def _acquire(self) -> None:
        while self._locked:
            await self._sleep(0)
        self._locked = True


class Polls(Lock):
    """Looks every now and then."""

    async def _acquire(self) -> None:
        while self._locked:
            await self._sleep(0.5)
        self._locked = True


FAULTS: list[type[Lock]] = [
    BadIsLocked,
    BadRepr,
    RaisesAtCall,
    OtherAwaitable,
    Raising,
    Exiting,
    Interrupting,
    Closing,
    RaisingRelease,
    AsyncRelease,
    Sleeps,
    Spins,
    Polls,
]


def over(sound: type[Lock]) -> list[type[Any]]:
    """Return each of the faults over the sound lock of a runtime."""
    return [type(fault.__name__, (fault, sound), {}) for fault in FAULTS]
