"""What tasks and conductor need of an async runtime. One file per runtime translates; none of them decides."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Callable, Protocol

if TYPE_CHECKING:
    from .clock import Clock
    from .operation import Operation, Reply
    from .run import Run
    from .task import Task


@types.coroutine
def trap(what: Any) -> Generator[Any, Any, Any]:
    """Yield `what` to the runtime, and return what it sends when it resumes the task."""
    return (yield what)


class Unfit(Exception):
    """A release of a runtime that hides what quiescence is seen by."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what a group of exceptions holds, or the exception itself."""
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, tuple) and inner:
        for each in inner:
            yield from leaves(each)
    else:
        yield error


class Cancellation(Protocol):
    """The means by which one pending operation is cancelled while its task lives on: entered around the operation."""

    def __enter__(self) -> object:
        """Begin."""

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> bool | None:
        """End, and swallow the runtime's exception if it came of `cancel`."""

    def cancel(self) -> object:
        """Ask for the operation to be dropped."""


class Runtime(Protocol):
    """One start of a runtime, for one run."""

    cancelled: type[BaseException]
    """What the runtime raises in a task that it cancels, alone or in a group."""
    clock: Clock
    """The time that the locks see."""

    def run(self, conduct: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start, run the conductor as a task to its end, clean up and stop."""

    def begin(self, run: Run) -> None:
        """Take note of what is to be run. Called in the conductor's task."""

    def spawn(self, task: Task) -> None:
        """Spawn a task as a user does."""

    def resume(self, task: Task) -> None:
        """Let a task that stands at its gate go on. Called by the conductor, or in a take of `line`."""

    async def gate(self, task: Task) -> None:
        """Park the calling task until the conductor resumes it."""

    async def line(self, takes: Sequence[Callable[[], None]]) -> None:
        """Do each of `takes`, and what each of them resumes, with nothing else in between."""

    async def settle(self) -> None:
        """Wait until nothing can run any more, no task, no timer, no thread of a lock, or the run is a livelock."""

    def cancellation(self, task: Task) -> Cancellation:
        """Return what cancels the next operation of a task."""

    def abort(self, task: Task) -> None:
        """Ask for the end of a whole task."""

    async def give_way(self) -> None:
        """Let the others run once."""

    def scope_of(self, task: Task) -> object:
        """Return what the runtime would cancel the calling task by. What is left alone must not change it."""

    def gives_way(self, what: object) -> bool:
        """Return whether the runtime resumes by itself, and at once, what yields this."""

    def is_bare(self, operation: Operation) -> bool:
        """Return whether the runtime would resume the operation by itself."""

    def is_ready(self, operation: Operation) -> bool:
        """Return whether the trap of a kept operation is over."""

    def before_park(self, task: Task, operation: Operation, step: int) -> None:
        """Raise `Lacking` if the task cannot wait for the operation without harm to another that it keeps."""

    def park(self, task: Task, operation: Operation, is_kept: bool) -> None:
        """Take note that an operation is parked, so that its wake is told."""

    async def wait(self, task: Task, operation: Operation) -> None:
        """Yield the operation's trap and keep what comes of it as its signal. A cancellation is raised."""

    async def wait_beside(self, task: Task, operation: Operation) -> None:
        """Wait for the trap of a kept operation to be over. A cancellation leaves the operation alone."""

    def drop(self, operation: Operation) -> Reply | None:
        """Cancel an operation as the runtime cancels one that is awaited. Return its reply if it gave one instead.

        It may go on for a while, to clean up behind itself: then it is not finished.
        """

    def cleaning_up(self) -> AbstractContextManager[object]:
        """Return what surrounds an operation that is dropped, and maybe cleans up behind itself."""

    def tell_wakes(self) -> None:
        """Tell the wakes that objects gave since the last call."""

    def before_end(self, task: Task, step: int) -> None:
        """Raise `Lacking` if the task cannot end without harm."""

    def drop_handle(self, task: Task) -> None:
        """Drop the task's handle."""
