"""An acquire under way: a coroutine of a lock library, driven by hand inside the task that asks.

A user's `await lock.acquire()` sends and throws into the same coroutine in the same task; here every trap that it
yields to the runtime is seen on its way, so that one can be kept and left alone as well.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Callable, Union

from .awaiting import coroutine_of

if TYPE_CHECKING:
    from .locks import Mutex
    from .task import Task

UNSTARTED = object()
"""The trap of a coroutine that was never sent anything."""


class Granted:
    """The reply of an operation that holds its object now."""


class Refused:
    """The reply of an operation that raised."""

    def __init__(self, error: BaseException) -> None:
        """`error` is what it raised."""
        self.error = error


Reply = Union[Granted, Refused]


async def _fail(error: BaseException) -> object:
    raise error


class Operation:
    """One acquire of one object, kept under a name or not."""

    def __init__(self, task: Task, object_: int, mutex: Mutex, name: int | None) -> None:
        """Make it for `task`. Nothing is sent yet."""
        self.object = object_
        self.mutex = mutex
        self.name = name
        self.is_finished = False
        """Whether it has replied, or cannot any more."""
        self.has_failed = False
        """Whether the library has refused before there was anything to await."""
        self.is_left = False
        """Whether it was dropped when it could not be: another task drops it when it runs."""
        self.coroutine: Coroutine[Any, Any, object]
        try:
            self.coroutine = coroutine_of(mutex.acquire())
        except BaseException as error:
            self.has_failed = True
            self.coroutine = _fail(error)
        self.trap: Any = UNSTARTED
        """What it yielded last and was not resumed from."""
        self.signal: Any = None
        """What it is to be sent when its trap is over."""
        self.is_over = False
        """Whether its trap is over, where only the signal tells."""
        self.polled_by = task
        """The task that polled it last, which is the one that is woken for it."""
        self.registration: Any = None
        """What the runtime keeps of it while it is parked."""

    @property
    def is_started(self) -> bool:
        """Whether it was ever sent anything."""
        return self.trap is not UNSTARTED

    def send(self) -> Reply | None:
        """Resume it with its signal. Return its reply, or nothing if it waits again.

        What it raises passes through, unless it is an ordinary exception.
        """
        signal, self.signal, self.is_over = self.signal, None, False
        return self._resume(self.coroutine.send, signal)

    def throw(self, error: BaseException) -> Reply | None:
        """Resume it with an exception."""
        self.signal, self.is_over = None, False
        return self._resume(self.coroutine.throw, error)

    def _resume(self, resume: Callable[[Any], object], what: Any) -> Reply | None:
        self.is_finished = True
        try:
            self.trap = resume(what)
        except StopIteration:
            return Granted()
        except Exception as error:
            return Refused(error)
        self.is_finished = False
        return None

    def close(self) -> None:
        """Close the coroutine, which must not be woken any more."""
        self.is_finished = True
        self.coroutine.close()


class Guard:
    """The duty of a task to give an object back."""

    def __init__(self, object_: int, mutex: Mutex) -> None:
        """A guard keeps its lock alive, whatever the conductor does to its own share."""
        self.object = object_
        self.mutex = mutex


class Scope:
    """The opening of a scope."""

    def __init__(self, name: int) -> None:
        """Open the scope `name`."""
        self.name = name


Belonging = Union[Guard, Operation, Scope]
