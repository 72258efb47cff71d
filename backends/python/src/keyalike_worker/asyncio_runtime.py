"""asyncio, and uvloop beneath it.

Quiescence is seen in the loop's own queue of ready callbacks (`_ready`) and its heap of timers (`_scheduled`). uvloop
hides both, so there they are kept beside it; see `uvloop_loop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import weakref
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Callable

from . import outside
from .clock import Clock
from .operation import Operation, Refused
from .runtime import Cancellation, Unfit, trap
from .task import State

if TYPE_CHECKING:
    from .operation import Reply
    from .run import Run
    from .task import Task

CLEANING_TURNS_MAX = 100
"""The most turns that tasks get to end when their run is over."""


def plain_loop(clock: Clock) -> asyncio.AbstractEventLoop:
    """Return asyncio's own event loop, with a clock."""
    loop = asyncio.new_event_loop()
    loop.time = clock.now  # type: ignore[method-assign]
    return loop


MakeCancellation = Callable[["asyncio.Task[None]", "Task"], Cancellation]


class Gate:
    """What a task waits for between its commands: a future, as far as `asyncio.Task` can tell.

    Opening it runs the task at once, inside the caller's own callback, and not one turn of the loop later: so the steps
    of a line follow each other with nothing in between.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make it closed."""
        self._loop = loop
        self._asyncio_future_blocking = True
        self._resume: Callable[[Any], object] | None = None
        self._context: contextvars.Context | None = None
        self._is_cancelled = False

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return its loop, as a future does."""
        return self._loop

    def add_done_callback(self, resume: Callable[[Any], object], *, context: contextvars.Context) -> None:
        """Take note of how its task is resumed."""
        self._resume, self._context = resume, context

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the task that waits, when the loop comes to it."""
        if self._is_cancelled or self._resume is None or self._context is None:
            return False
        self._is_cancelled = True
        self._loop.call_soon(self._resume, self, context=self._context)
        return True

    def result(self) -> None:
        """Return or raise what the task is resumed with."""
        if self._is_cancelled:
            raise asyncio.CancelledError

    def done(self) -> bool:
        """Return whether its task is about to be resumed."""
        return self._is_cancelled

    def open(self) -> None:
        """Resume the task now."""
        assert self._resume is not None and self._context is not None, "the task stands at its gate"
        resume, self._resume = self._resume, None
        self._context.run(resume, self)


class NativeCancellation:
    """`Task.cancel()`, caught around the pending operation."""

    def __init__(self, task: asyncio.Task[None], owner: Task) -> None:
        """Cancel within `task`, unless the end of the whole of `owner` was asked for as well."""
        self._task = task
        self._owner = owner
        self._is_asked_for = False

    def __enter__(self) -> NativeCancellation:
        """Begin."""
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> bool:
        """Swallow the cancellation, and tell the task that it goes on where Python has a call for that."""
        if not self._is_asked_for or not isinstance(error, asyncio.CancelledError):
            return False
        uncancel = getattr(self._task, "uncancel", None)
        if uncancel is not None:
            uncancel()
        return self._owner.abort_step is None

    def cancel(self) -> None:
        """Ask for the operation to be dropped."""
        self._is_asked_for = True
        self._task.cancel()


class AsyncioRuntime:
    """One event loop, for one run."""

    cancelled: type[BaseException] = asyncio.CancelledError

    def __init__(
        self,
        make_loop: Callable[[Clock], asyncio.AbstractEventLoop] = plain_loop,
        make_cancellation: MakeCancellation = NativeCancellation,
        task_factory: Any = None,
    ) -> None:
        """Make it with a loop of its own."""
        self.clock = Clock()
        self._loop: Any = make_loop(self.clock)
        self._make_cancellation = make_cancellation
        self._loop.set_exception_handler(lambda _loop, _context: None)
        if task_factory is not None:
            self._loop.set_task_factory(task_factory)
        if not all(hasattr(self._loop, name) for name in ("_ready", "_scheduled")):
            raise Unfit("the event loop of this Python has no _ready and _scheduled; choose another Python")
        # asyncio's own loop looks at its clock in every turn.
        self._fire: Callable[[], object] = getattr(self._loop, "fire", lambda: None)
        self._run: Run | None = None
        self._parked: list[Operation] = []
        self._gates: dict[int, Gate] = {}

    # Life.

    def run(self, conduct: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the conductor to its end."""
        try:
            self._loop.run_until_complete(self._conduct(conduct))
        finally:
            self._loop.close()

    async def _conduct(self, conduct: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await conduct()
        finally:
            if self._run is not None:
                await self._clean_up(self._run)

    async def _clean_up(self, run: Run) -> None:
        """End every task, also those that wait for ever."""
        run.transcript.close()
        for _ in range(CLEANING_TURNS_MAX):
            living = [task for task in run.tasks if task.state not in (State.NEW, State.ENDED)]
            if not living:
                break
            for task in living:
                handle = self._handle(task)
                task.abort_step = -1
                if handle is None or handle.done():
                    task.state = State.ENDED
                else:
                    handle.cancel()
            await asyncio.sleep(0)

    def begin(self, run: Run) -> None:
        """Take note of what is to be run."""
        self._run = run

    def spawn(self, task: Task) -> None:
        """Spawn a task as a user does, by its name in the scenario."""
        handle = self._loop.create_task(task.live(), name=task.name)
        if task.has_handle:
            task.handle = handle
        handle.add_done_callback(lambda done: self._end(task, done))

    @staticmethod
    def _end(task: Task, handle: asyncio.Task[None]) -> None:
        """Note the end of a task, also of one that never ran."""
        if handle.cancelled():
            task.end_unstarted(asyncio.CancelledError())
        else:
            handle.exception()

    @staticmethod
    def _handle(task: Task) -> asyncio.Task[None] | None:
        handle = task.handle
        found: asyncio.Task[None] | None = handle() if isinstance(handle, weakref.ref) else handle
        return found

    def drop_handle(self, task: Task) -> None:
        """Drop the task's handle: only what the loop and the lock keep of it is left."""
        task.handle = weakref.ref(task.handle)
        gc.collect()

    def abort(self, task: Task) -> None:
        """Cancel a whole task."""
        handle = self._handle(task)
        if handle is not None:
            handle.cancel()

    # Scheduling.

    async def gate(self, task: Task) -> None:
        """Park until the conductor opens the gate."""
        gate = Gate(self._loop)
        self._gates[task.index] = gate
        await trap(gate)

    def resume(self, task: Task) -> None:
        """Run a task that stands at its gate, now."""
        self._gates.pop(task.index).open()

    async def line(self, takes: Sequence[Callable[[], None]]) -> None:
        """Put each of `takes` into the loop's queue, one behind the other; what they wake comes behind all of them."""
        for take in takes:
            self._loop.call_soon(self._take, take)
        # A turn of its own, so that no loop is asked whether it is quiet while they are still to come.
        await trap(None)

    def _take(self, take: Callable[[], None]) -> None:
        try:
            take()
        except BaseException as failure:
            assert self._run is not None, "a run has begun"
            self._run.failure = self._run.failure or failure

    async def settle(self) -> None:
        """Let the loop turn until nothing but the conductor is ready, no thread is at work and no timer is left."""
        assert self._run is not None, "a run has begun"
        while not self._run.is_livelock:
            # In this order: a thread that has just come to rest may have left something in the queue.
            if not self._loop._ready and outside.is_at_work():
                self.clock.look_away(outside.LOOK_SECONDS)
                self._fire()
            elif self._loop._ready or self._go_to_next_timer():
                self._run.count_turn()
            else:
                return
            await trap(None)

    def _go_to_next_timer(self) -> bool:
        """Let time go on to the next timer that is not cancelled, which is due then. Return whether there is one."""
        timers = self._loop._scheduled
        if not timers:
            return False
        whens = [timer.when() for timer in timers if not timer.cancelled()]
        if whens:
            self.clock.go_to(min(whens))
            self._fire()
        return bool(whens)

    async def give_way(self) -> None:
        """Let the others run once."""
        await asyncio.sleep(0)

    # Operations.

    def cancellation(self, task: Task) -> Cancellation:
        """Return what cancels the next operation of the calling task."""
        current = asyncio.current_task()
        assert current is not None, f"{task.name} asks for itself"
        return self._make_cancellation(current, task)

    def scope_of(self, task: Task) -> object:
        """Return nothing: a task of asyncio is cancelled as a whole."""

    def gives_way(self, what: object) -> bool:
        """Return whether it is nothing, as `sleep(0)` yields it."""
        return what is None

    def is_bare(self, operation: Operation) -> bool:
        """Return whether the coroutine yielded no future, such as nothing, as `sleep(0)` does: the loop resumes it."""
        return not hasattr(operation.trap, "_asyncio_future_blocking")

    def is_ready(self, operation: Operation) -> bool:
        """Return whether what a coroutine yielded is done."""
        if self.is_bare(operation):
            return operation.trap is None
        return bool(operation.trap.done())

    def before_park(self, task: Task, operation: Operation, step: int) -> None:
        """Raise nothing: each operation waits for a future of its own."""

    def before_end(self, task: Task, step: int) -> None:
        """Raise nothing: a future has no task."""

    def park(self, task: Task, operation: Operation, is_kept: bool) -> None:
        """Have the future that an operation waits for tell when it is done. It does so before it resumes the task."""
        if operation.registration is not operation.trap:
            operation.registration = operation.trap
            self._parked.append(operation)
            operation.trap.add_done_callback(lambda _: self._tell_wake(operation))

    def _tell_wake(self, operation: Operation) -> None:
        if operation.registration is None or not operation.registration.done():
            return
        woken = not operation.registration.cancelled()
        self._parked.remove(operation)
        operation.registration = None
        if woken and self._run is not None:
            self._run.transcript.effect(operation.polled_by.index, {"woken": {"object": operation.object}})

    def tell_wakes(self) -> None:
        """Tell the wakes that have come in a line, before its next step begins. Else the callbacks come in time."""
        if self._run is not None and self._run.is_in_line:
            for operation in list(self._parked):
                self._tell_wake(operation)

    async def wait(self, task: Task, operation: Operation) -> None:
        """Wait for what the coroutine yielded, as `await` does."""
        future = operation.trap
        if self.is_bare(operation):
            # What is no future at all is for the loop to refuse.
            await trap(future)
        elif not future.done():
            future._asyncio_future_blocking = True
            await trap(future)

    async def wait_beside(self, task: Task, operation: Operation) -> None:
        """Wait for a future without owning it, as `asyncio.shield` does."""
        if self.is_bare(operation):
            await trap(operation.trap)
            return
        own: asyncio.Future[None] = self._loop.create_future()

        def pass_on(_: Any) -> None:
            if not own.done():
                own.set_result(None)

        operation.trap.add_done_callback(pass_on)
        await own

    def drop(self, operation: Operation) -> Reply | None:
        """Cancel the future that a coroutine waits for and throw into it, as the cancellation of a task does."""
        if operation.registration is not None:
            self._parked.remove(operation)
            operation.registration = None
        reply: Reply | None = None
        try:
            if self._make_cancellation is not NativeCancellation and self.is_ready(operation):
                # A scope of anyio does not reach a task whose future is done, nor its shielded checkpoints.
                reply = operation.send()
                if isinstance(reply, Refused):
                    # It had failed already, and nobody asks for how.
                    return None
            if reply is None:
                if not self.is_bare(operation):
                    operation.trap.cancel()
                reply = operation.throw(asyncio.CancelledError())
        except asyncio.CancelledError:
            return None
        return reply

    def cleaning_up(self) -> AbstractContextManager[object]:
        """Return what leaves an operation in peace: a cancellation of asyncio comes once."""
        return contextlib.nullcontext()
