"""trio.

Two things that trio keeps to itself are used, and their absence is an error that says so. Its scheduler shuffles each
batch of tasks by a coin toss; the coin is replaced, so that batches are FIFO. And its queue of scheduled tasks is taken
out while the steps of one line are taken, so that what they wake stands still. The locks are untouched.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Callable

import trio

from . import outside
from .clock import Clock
from .operation import Operation, Refused
from .run import Lacking
from .runtime import Cancellation, Unfit, trap
from .task import State

if TYPE_CHECKING:
    from .operation import Reply
    from .run import Run
    from .task import Task

BARE = trio.lowlevel.cancel_shielded_checkpoint().send(None)
"""What a task yields to be resumed by the scheduler itself, in the next batch."""


def sleep(abort: Callable[[Any], Any]) -> Any:
    """Return what a task yields to wait until it is scheduled. The outcome of that comes back unopened."""
    waiting = trio.lowlevel.wait_task_rescheduled(abort)
    what = waiting.send(None)
    waiting.close()
    return what


def cancelled() -> BaseException:
    """Return what trio raises in a task that is cancelled."""
    create: Callable[..., BaseException] = trio.Cancelled._create
    try:
        return create()
    except TypeError:
        return create(source="explicit")


SLEEP = sleep(lambda _: trio.lowlevel.Abort.SUCCEEDED)
"""What a task yields to wait for a command. A cancellation ends that at once."""


class Nothing:
    """The outcome with which trio resumes a task that only gave way."""

    def unwrap(self) -> None:
        """Return nothing."""


NOTHING = Nothing()

MakeCancellation = Callable[[], Cancellation]


CLEANING_TURNS_MAX = 100
"""The most batches that each task gets to end when its run is over: a crowd may end one after the other."""


class Abandoned(BaseException):
    """Ends a run whose tasks do not end when they are cancelled."""


class TrioClock(trio.abc.Clock):  # type: ignore[misc]
    """The clock of a run, as trio asks for it."""

    def __init__(self, clock: Clock) -> None:
        """Show `clock`."""
        self._clock = clock
        self.turns_left: int | None = None
        """How many batches there may be yet, when the run is over."""

    def start_clock(self) -> None:
        """Begin."""

    def current_time(self) -> float:
        """Return the time. trio asks once a batch, so that batches can be counted."""
        if self.turns_left is not None:
            self.turns_left -= 1
            if self.turns_left < 0:
                raise Abandoned
        return self._clock.time

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Return how long to sleep when nothing can run: not at all, for then time goes on to the deadline."""
        if deadline < float("inf"):
            self._clock.go_to(deadline)
            return 0.0
        if self.turns_left is not None:
            # trio itself has still to hear through a pipe that the run is over; its batches are counted all the same.
            return 0.0
        return deadline


abandoned: list[object] = []
"""What runs that were abandoned have left. It is kept, for a coroutine that is collected runs once more."""


class FixedOrder:
    """Stands for the random generator of trio's scheduler: its coin always falls on the side of FIFO batches."""

    def random(self) -> float:
        """Return what makes the scheduler take a batch in the order in which it was scheduled."""
        return 0.0

    def shuffle(self, batch: list[Any]) -> None:
        """Bring a batch that the scheduler has sorted by age, and takes from its end, into the order of age."""
        batch.reverse()

    def uniform(self, low: float, _high: float) -> float:
        """Return where trio's clock begins."""
        return low


def fix_order() -> None:
    """Make the scheduler's batches FIFO. Raises `Unfit` if this release has no such generator."""
    scheduler = trio._core._run
    if not hasattr(scheduler, "_r"):
        raise Unfit(f"trio {trio.__version__} has no trio._core._run._r, whose coin is to be fixed; choose another one")
    scheduler._r = FixedOrder()


def trio_cancellation() -> Cancellation:
    """Return a scope of trio."""
    scope: Cancellation = trio.CancelScope()
    return scope


class Handle:
    """What the runtime knows of a task."""

    def __init__(self) -> None:
        """Make it for a task that has not run yet."""
        self.trio_task: Any = None
        self.scope = trio.CancelScope()
        self.is_woken = False
        """Whether an object has scheduled it, and it has not run since."""
        self.woken_for: Operation | None = None
        """The kept operation for which it was scheduled, if it was for one."""
        self.registered: dict[int, Operation] = {}
        """By their objects, the kept operations that stand in a queue in this task's name."""


class Registration:
    """A kept operation that stands in a lock's queue."""

    def __init__(self, task: Task, sleep_data: Any) -> None:
        """`sleep_data` is what the lock has left with the task for the case that the wait is given up."""
        self.task = task
        self.sleep_data = sleep_data
        self.waiter: Task | None = None
        """Another task, which the operation was sent to and which waits for it."""


class Instrument(trio.abc.Instrument):  # type: ignore[misc]
    """Sees every task that is scheduled, at the moment when that happens."""

    def __init__(self, runtime: TrioRuntime) -> None:
        """Tell `runtime`."""
        self._runtime = runtime
        self.conductor: Any = None
        self.scheduled = 0
        """How often tasks were scheduled since the conductor was. Those before it have run when it runs."""

    def task_scheduled(self, task: Any) -> None:
        """Count it, and tell it."""
        if task is self.conductor:
            self.scheduled = 0
        else:
            self.scheduled += 1
            self._runtime.note_scheduled(task)


class TrioRuntime:
    """One start of trio, for one run."""

    cancelled: type[BaseException] = trio.Cancelled
    clock: Clock

    def __init__(self, make_cancellation: MakeCancellation = trio_cancellation) -> None:
        """Make it. The scheduler's order is fixed for the whole process."""
        fix_order()
        self._make_cancellation = make_cancellation
        self._run: Run | None = None
        self._nursery: Any = None
        self._tasks: dict[Any, Task] = {}
        self._own: Any = None
        """The task that the conductor schedules itself, whose scheduling is no wake."""
        self._is_conductor_acting = False
        self._wakes: list[tuple[Task, int]] = []
        self._held: list[Any] | None = None
        self._instrument = Instrument(self)
        self._failure: BaseException | None = None
        # Until it is known where trio keeps them, it is asked for its statistics.
        self._deadlines: Any = True
        self._left_by_threads: Any = [True]
        self.clock = Clock()
        self._clock = TrioClock(self.clock)

    # Life.

    def run(self, conduct: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the conductor to its end."""
        try:
            trio.run(self._conduct, conduct, instruments=[self._instrument], clock=self._clock)
        except trio.TrioInternalError:
            if self._clock.turns_left is None:
                raise
            # The run is over, and what does not end is left behind.
            abandoned.append((self._nursery, list(self._tasks)))
        if self._failure is not None:
            raise self._failure

    async def _conduct(self, conduct: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._instrument.conductor = trio.lowlevel.current_task()
        # Exceptions of trio name the task that cancels.
        self._instrument.conductor.name = "conductor"
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await conduct()
            except BaseException as error:
                self._failure = error
            self._clock.turns_left = CLEANING_TURNS_MAX * (1 + len(self._tasks))
            self._clean_up()

    def _clean_up(self) -> None:
        """End every task, also those that wait for ever."""
        if self._run is not None:
            self._run.transcript.close()
            for task in self._run.tasks:
                task.abort_step = -1
            # What stands in a queue in a task's name must be out of it before the task ends.
            for task in self._run.tasks:
                for belonging in [*task.belongings]:
                    if isinstance(belonging, Operation) and belonging.is_started and not belonging.is_finished:
                        task.belongings.remove(belonging)
                        with contextlib.suppress(BaseException):
                            self.drop(belonging)
        self._nursery.cancel_scope.cancel()

    def begin(self, run: Run) -> None:
        """Take note of what is to be run."""
        self._run = run
        if not isinstance(self._queue(), deque):
            raise Unfit(f"trio {trio.__version__} has no Runner.runq, which must be held; choose another release")

        runner = trio.lowlevel.current_task()._runner
        self._deadlines = getattr(runner.deadlines, "_heap", runner.deadlines)
        entries = runner.entry_queue
        self._left_by_threads = [getattr(entries, name, True) for name in ("queue", "idempotent_queue")]

    @staticmethod
    def _queue() -> Any:
        return getattr(trio.lowlevel.current_task()._runner, "runq", None)

    def spawn(self, task: Task) -> None:
        """Spawn a task as a user does, by its name in the scenario."""
        task.handle = Handle()
        self._nursery.start_soon(self._live, task, name=task.name)

    async def _live(self, task: Task) -> None:
        handle = task.handle
        handle.trio_task = trio.lowlevel.current_task()
        self._tasks[handle.trio_task] = task
        try:
            with handle.scope:
                await task.live()
        except BaseException as error:
            # An exception that left a task would take its nursery with it, and the other tasks.
            if task.state is not State.ENDED and self._clock.turns_left is None:
                task.run.failure = task.run.failure or error
        finally:
            self._tasks.pop(handle.trio_task, None)

    def drop_handle(self, task: Task) -> None:
        """Do nothing: trio has no handles."""

    def abort(self, task: Task) -> None:
        """Cancel the scope around a whole task."""
        self._act(task.handle.scope.cancel)

    def _act(self, act: Callable[[], object]) -> None:
        """Do something of which tasks are scheduled that no object has woken."""
        self._is_conductor_acting = True
        try:
            act()
        finally:
            self._is_conductor_acting = False

    def before_end(self, task: Task, step: int) -> None:
        """Raise `Lacking` if an operation that was sent away still stands in a queue in the task's name."""
        if task.handle is not None and any(kept not in task.belongings for kept in task.handle.registered.values()):
            raise Lacking(step, "in trio a queue holds the task, so the task must outlive what it has sent away")

    # Scheduling.

    def note_scheduled(self, trio_task: Any) -> None:
        """Take note that somebody has scheduled a task; if an object did, it is a wake."""
        task = self._tasks.get(trio_task)
        is_over = self._clock.turns_left is not None
        if task is None or trio_task is self._own or self._is_conductor_acting or self._run is None or is_over:
            return
        touched = self._run.touched
        handle = task.handle
        if touched is None:
            if task.state in (State.GATE, State.PARKED) and task.abort_step is None and task.cancel_step is None:
                self._note_breakage(task)
            return
        handle.is_woken = True
        handle.woken_for = handle.registered.get(touched)
        operation = handle.woken_for
        self._wakes.append((task if operation is None else operation.polled_by, touched))

    def _note_breakage(self, task: Task) -> None:
        """Take note that the end of a task has broken a queue in which `task` stands."""
        registered = list(task.handle.registered.values())
        if not registered:
            # Nor is it a queue: an abort that came to a shielded task, and reaches it now.
            return
        if task.state is State.GATE and len(registered) == 1:
            task.handle.is_woken, task.handle.woken_for = True, registered[0]
            return
        why = "a task that stands in several queues is not told by trio which of them broke"
        task.run.lacking = task.run.lacking or Lacking(self._step(), why)

    async def gate(self, task: Task) -> None:
        """Park until the conductor schedules the task. What an object schedules meanwhile is for a kept operation."""
        while True:
            outcome = await trap(SLEEP)
            handle = task.handle
            if handle.woken_for is None:
                outcome.unwrap()
                return
            await self._note_signal(task, outcome)
            if task.inbox:
                return

    async def _note_signal(self, task: Task, outcome: Any) -> None:
        """Keep what the task was scheduled with for the kept operation that it is meant for."""
        handle = task.handle
        operation, handle.woken_for, handle.is_woken = handle.woken_for, None, False
        registration = operation.registration
        del handle.registered[operation.object]
        operation.registration = None
        if registration is None:
            # Another task has dropped it meanwhile, when it was granted already.
            operation.signal, operation.is_over, operation.is_left = outcome, True, False
            await task.close(operation)
            return
        waiter = registration.waiter
        if waiter is None:
            operation.signal, operation.is_over = outcome, True
        else:
            self._schedule(waiter, outcome)

    def _schedule(self, task: Task, outcome: Any = None) -> None:
        self._own = task.handle.trio_task
        try:
            if outcome is None:
                trio.lowlevel.reschedule(self._own)
            else:
                trio.lowlevel.reschedule(self._own, outcome)
        finally:
            self._own = None

    def resume(self, task: Task) -> None:
        """Schedule a task that stands at its gate, unless an object has done so already."""
        handle = task.handle
        if not handle.is_woken:
            self._schedule(task)
        elif self._held is not None:
            # It is woken and held back; now is its turn.
            self._held.remove(handle.trio_task)
            self._queue().append(handle.trio_task)

    async def line(self, takes: Sequence[Callable[[], None]]) -> None:
        """Do each of `takes` and run what it resumes, while all that is woken stands still."""
        if len(takes) == 1:
            takes[0]()
            return
        queue = self._queue()
        held: list[Any] = []
        self._held = held
        for take in takes:
            self._refuse_second_wake()
            take()
            gates = [each for each in queue if self._is_resumed(each)]
            held.extend(each for each in queue if each not in gates)
            queue.clear()
            if gates:
                # They run, and then the conductor again, before anything that they wake.
                queue.extend(gates)
                await trap(BARE)
                held.extend(queue)
                queue.clear()
        self._held = None
        queue.extendleft(reversed(held))
        self._instrument.scheduled += len(held)

    def _is_resumed(self, trio_task: Any) -> bool:
        task = self._tasks.get(trio_task)
        return task is not None and task.state is State.GATE and bool(task.inbox)

    def _refuse_second_wake(self) -> None:
        """Raise nothing yet end the job if a task that is woken stands in another queue too: trio schedules it once."""
        for trio_task in self._held or ():
            task = self._tasks.get(trio_task)
            if task is None or self._run is None:
                continue
            # One that an abort has woken stands in a queue still.
            free = 1 if task.handle.woken_for is not None else 0
            if len(task.handle.registered) > free:
                why = "trio schedules a task once before it runs, and it waits twice"
                self._run.lacking = Lacking(self._step(), why)

    def _step(self) -> int:
        """Return the step that was begun last."""
        at = self._run.transcript.at if self._run is not None else None
        return at["step"] if isinstance(at, dict) else 0

    async def settle(self) -> None:
        """Wait until no task is scheduled, no thread is at work and no deadline is left."""
        assert self._run is not None, "a run has begun"
        while not self._run.is_livelock:
            if not self._instrument.scheduled and outside.is_at_work():
                self.clock.look_away(outside.LOOK_SECONDS)
            elif self._instrument.scheduled or self._is_due():
                self._run.count_turn()
            else:
                return
            await trap(BARE)

    def _is_due(self) -> bool:
        """Return whether a thread has left something to be done, or time can go on to a deadline, which is due then."""
        if not self._deadlines and not any(self._left_by_threads):
            return False
        statistics = trio.lowlevel.current_statistics()
        if statistics.run_sync_soon_queue_size:
            return True
        if statistics.seconds_to_next_deadline < float("inf"):
            self.clock.go_to(self.clock.now() + statistics.seconds_to_next_deadline)
            return True
        return False

    async def give_way(self) -> None:
        """Let the others run once."""
        await trio.lowlevel.checkpoint()

    # Operations.

    def cancellation(self, task: Task) -> Cancellation:
        """Return what cancels the next operation of the calling task."""
        return self._make_cancellation()

    def scope_of(self, task: Task) -> object:
        """Return the cancel scope in which the calling task stands."""
        return task.handle.trio_task._cancel_status

    def gives_way(self, what: object) -> bool:
        """Return whether it is a checkpoint."""
        return what is BARE

    def is_bare(self, operation: Operation) -> bool:
        """Return whether the scheduler resumes the coroutine by itself, if only to refuse what it yielded."""
        return type(operation.trap) is not type(SLEEP)

    def is_ready(self, operation: Operation) -> bool:
        """Return whether the coroutine may be resumed."""
        if operation.trap is BARE and not operation.is_over:
            operation.signal, operation.is_over = NOTHING, True
        return operation.is_over

    def before_park(self, task: Task, operation: Operation, step: int) -> None:
        """Raise `Lacking` if the task stands in the queue of the object already: trio's queues hold a task once."""
        known = task.handle.registered.get(operation.object)
        if known is not None and known is not operation:
            raise Lacking(step, "in trio a task stands in the queue of a lock only once, and it keeps a future there")

    def park(self, task: Task, operation: Operation, is_kept: bool) -> None:
        """Take note of a kept operation that stands in a queue in the task's name."""
        if is_kept and operation.registration is None:
            handle = task.handle
            operation.registration = Registration(task, handle.trio_task.custom_sleep_data)
            handle.registered[operation.object] = operation

    def tell_wakes(self) -> None:
        """Tell the wakes that objects gave."""
        if self._wakes and self._run is not None:
            wakes, self._wakes = self._wakes, []
            for task, object_ in wakes:
                self._run.transcript.effect(task.index, {"woken": {"object": object_}})

    async def wait(self, task: Task, operation: Operation) -> None:
        """Wait for what the coroutine yielded, as `await` does."""
        registration = operation.registration
        if registration is None:
            # `give_up` is the lock's own way out of its queue, and finds what the lock has left with the task.
            sleep_data = task.handle.trio_task.custom_sleep_data
            outcome = await trap(operation.trap)
        else:
            sleep_data = registration.sleep_data
            outcome = await self._wait_again(task, operation, registration)
        while task.handle.woken_for is not None and task.handle.woken_for is not operation:
            # An object that another, kept operation stands before has scheduled this task.
            await self._note_signal(task, outcome)
            task.handle.trio_task.custom_sleep_data = sleep_data
            outcome = await trap(operation.trap)
        task.handle.is_woken = False
        operation.signal, operation.is_over = outcome, True

    async def _wait_again(self, task: Task, operation: Operation, registration: Registration) -> Any:
        """Wait for an operation that stands in a queue already, maybe in the name of another task."""
        own = registration.task is task
        if own:
            del task.handle.registered[operation.object]
        else:
            registration.waiter = task

        def give_up(raise_cancel: Any) -> Any:
            registration.task.handle.registered.pop(operation.object, None)
            return self._give_up(operation, registration, raise_cancel)

        outcome = await trap(sleep(give_up))
        operation.registration = None
        return outcome

    @staticmethod
    def _give_up(operation: Operation, registration: Registration, raise_cancel: Any) -> Any:
        """Take an operation out of the lock's queue, by the lock's own means."""
        trio_task = registration.task.handle.trio_task
        before, trio_task.custom_sleep_data = trio_task.custom_sleep_data, registration.sleep_data
        try:
            return operation.trap.abort_func(raise_cancel)
        finally:
            trio_task.custom_sleep_data = before

    async def wait_beside(self, task: Task, operation: Operation) -> None:
        """Wait until the trap of a kept operation is over. A cancellation leaves it in its queue."""
        if self.is_bare(operation):
            await trap(operation.trap)
            return
        registration = operation.registration
        while not operation.is_over:
            registration.waiter = None if registration.task is task else task
            outcome = await trap(SLEEP)
            if task.handle.woken_for is not None:
                await self._note_signal(task, outcome)
            elif registration.waiter is task and operation.registration is None:
                operation.signal, operation.is_over = outcome, True
            else:
                registration.waiter = None
                outcome.unwrap()

    def drop(self, operation: Operation) -> Reply | None:
        """Take an operation out of the lock's queue, as a cancellation does; what is scheduled cannot be cancelled."""
        registration, operation.registration = operation.registration, None
        if registration is not None:
            handle = registration.task.handle
            if handle.woken_for is operation:
                # The task in whose name it stood is scheduled for it, and drops it when it runs.
                operation.is_left = True
                return None
            handle.registered.pop(operation.object, None)
            self._give_up(operation, registration, lambda: None)
        else:
            reply = None
            while reply is None and self.is_ready(operation):
                reply = operation.send()
            if reply is not None:
                # If it had failed already, nobody asks for how.
                return None if isinstance(reply, Refused) else reply
            operation.trap.abort_func(lambda: None)
        try:
            return operation.throw(cancelled())
        except trio.Cancelled:
            return None

    def cleaning_up(self) -> AbstractContextManager[object]:
        """Return a scope that is cancelled: what is not shielded in it does not wait."""
        scope: AbstractContextManager[object] = trio.CancelScope(deadline=float("-inf"))
        return scope
