"""One task of a scenario, as a coroutine on the runtime.

It takes steps, owns its guards and futures, and lets go of them in reverse order, as nested `async with` blocks do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Callable, Union

from .awaiting import Suspended, drive, finish
from .operation import Belonging, Granted, Guard, Operation, Refused, Reply, Scope
from .run import Lacking
from .runtime import leaves
from .transcript import TEXT_MAX, What, acquired, message, not_run, panicked, refused, waits

if TYPE_CHECKING:
    from .locks import Mutex
    from .run import Run
    from .runtime import Cancellation
    from .script import Step


class State(Enum):
    """Where a task is, as far as others need to know."""

    NEW = "not spawned"
    SPAWNED = "spawned and not yet run"
    RUNNING = "at work"
    GATE = "waits for a command"
    RUNNABLE = "in an operation that the runtime resumes by itself"
    PARKED = "waits for an object"
    YIELDED = "has given way"
    ENDED = "ended"


class LetGo(Enum):
    """What a task lets go of at rest, in this order."""

    WAITS = "waits"
    FUTURES = "futures"
    GUARDS = "guards"


class NotRun(Exception):
    """A step that its task cannot take."""

    def __init__(self, reason: Any) -> None:
        """`reason` is as the protocol has it."""
        super().__init__(reason)
        self.reason = reason


class ScriptedPanic(RuntimeError):
    """What `panic` raises."""


class LockPanic(Exception):
    """What a lock raised where nobody expects it: it ends the task."""

    def __init__(self, error: BaseException) -> None:
        """`error` is the lock's own."""
        super().__init__(type(error).__name__)
        self.error = error


Command = Union[Sequence["Step"], LetGo]

AT_REST = -1
"""Stands for the step of a cancel that no step asked for."""


class Task:
    """One task. The runtime runs `live`; the conductor puts commands into `inbox`."""

    def __init__(self, run: Run, index: int) -> None:
        """Make it. It comes to life with the first step that concerns it."""
        self.run = run
        self.index = index
        self.name = run.script.tasks[index]
        self.runtime = run.runtime
        self.state = State.NEW
        self.inbox: deque[Command] = deque()
        self.belongings: list[Belonging] = []
        self.handle: Any = None
        """What the runtime knows it by."""
        self.has_handle = True
        self.waits_for: Operation | None = None
        self.cancellation: Cancellation | None = None
        self.cancel_step: int | None = None
        self.abort_step: int | None = None
        self.has_survived = False
        """Whether an abort has not ended it yet: a shielded wait ends first."""
        self.ending: str | dict[str, Any] | None = None
        self._due: int | None = None
        self._left: deque[Step] = deque()

    # What others ask.

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for something that a cancel can drop."""
        return self.state in (State.PARKED, State.RUNNABLE, State.YIELDED)

    @property
    def will_come_back(self) -> bool:
        """Whether it is certain to take what is put into its inbox."""
        if self.state in (State.PARKED, State.YIELDED):
            return self.cancel_step is not None or self.abort_step is not None
        return self.state not in (State.NEW, State.ENDED)

    def has(self, what: LetGo) -> bool:
        """Return whether it has something of this kind to let go of."""
        if what is LetGo.WAITS:
            return self.is_waiting
        kind = Operation if what is LetGo.FUTURES else Guard
        return any(isinstance(belonging, kind) for belonging in self.belongings)

    # Its life.

    async def live(self) -> None:
        """Take commands until a step or an abort ends it. This is what the runtime runs."""
        try:
            await self._work()
        except GeneratorExit:
            # The run is over, and the runtime is gone.
            raise
        except BaseException as error:
            self._tell_end(error)
            await self._let_go_of_all()
            self._end(error)
            raise
        await self._let_go_of_all()
        self._end(None)

    async def _work(self) -> None:
        while True:
            self.state = State.RUNNING
            while self.inbox:
                command = self.inbox.popleft()
                if isinstance(command, LetGo):
                    await self._let_go(command)
                elif await self._take_all(command):
                    return
            self.state = State.GATE
            try:
                await self.runtime.gate(self)
            except self.runtime.cancelled:
                if not self._is_abort_asked_for and any(isinstance(it, Operation) for it in self.belongings):
                    self._lack("it cancels the task that keeps it, which does not await it")
                raise

    async def _take_all(self, steps: Sequence[Step]) -> bool:
        """Take neighbouring steps in one go. Return whether the task ends."""
        self._left = deque(steps)
        while self._left:
            step = self._left.popleft()
            self.run.begin_step(step)
            self._due = step.index
            try:
                await STEPS[step.verb](self, step)
            except NotRun as not_taken:
                self._result(not_run(not_taken.reason))
            except Lacking as lacking:
                self.run.lacking = self.run.lacking or lacking
            self.runtime.tell_wakes()
            if step.verb == "return" and self.run.lacking is None:
                return True
        return False

    def _tell_end(self, error: BaseException) -> None:
        """Tell why it ends, before it lets go."""
        if isinstance(error, ScriptedPanic):
            return
        if self._is_abort_asked_for and self._is_cancellation(error):
            self._answer_what_is_due()
            self.run.transcript.effect(self.index, {"aborted": {"ending": None}})
        elif isinstance(error, LockPanic):
            self._result(panicked(error.error, scripted=False))
        elif self._has_cancellation(error):
            # Only a lock can have asked for it, or have put its own exceptions beside what was asked for.
            self._result(panicked(error, scripted=False))
        else:
            # The worker's own fault, and nothing that a lock did.
            self.run.failure = self.run.failure or error

    @property
    def _is_abort_asked_for(self) -> bool:
        return self.abort_step is not None or self.has_survived

    def _is_cancellation(self, error: BaseException) -> bool:
        return all(isinstance(leaf, self.runtime.cancelled) for leaf in leaves(error))

    def _has_cancellation(self, error: BaseException) -> bool:
        return any(isinstance(leaf, self.runtime.cancelled) for leaf in leaves(error))

    def _lack(self, why: str) -> Lacking:
        """Take note that the run has come to what the backend lacks."""
        at = self.run.transcript.at
        lacking = Lacking(at["step"] if isinstance(at, dict) else 0, why)
        self.run.lacking = self.run.lacking or lacking
        return lacking

    def _answer_what_is_due(self) -> None:
        """Answer the step and the cancel that an abort came in between."""
        operation = self.waits_for
        if self._due is not None and operation is not None:
            self._result(waits(operation.object, operation.name))
        if self.cancel_step is not None:
            self._tell_cancelled(operation, None)

    def _end(self, error: BaseException | None) -> None:
        """Tell what was left to tell, when it has let go of everything."""
        self.state = State.ENDED
        self.waits_for = None
        if error is None:
            self.ending = "returned"
        elif self._is_cancellation(error):
            self.ending = {"aborted": message(error)}
        else:
            self.ending = {"panicked": message(error.error if isinstance(error, LockPanic) else error)}
        for steps in [self._left, *self.inbox]:
            if not isinstance(steps, LetGo):
                for step in steps:
                    self.run.transcript.result(step.index, self.index, not_run("gone"))
        self.inbox.clear()
        self.tell_aborted()
        self.runtime.tell_wakes()

    def tell_aborted(self) -> None:
        """Answer the abort, if there was one, when the task has ended."""
        step, self.abort_step = self.abort_step, None
        if step is not None and self.state is State.ENDED:
            self.run.transcript.result(step, self.index, {"aborted": {"ending": self.ending}})

    def tell_survival(self) -> None:
        """Answer an abort that has not ended the task: something has swallowed it."""
        step, self.abort_step = self.abort_step, None
        if step is not None:
            self.has_survived = True
            self.run.transcript.result(step, self.index, "not-cancelled")

    def end_unstarted(self, error: BaseException) -> None:
        """Tell that the runtime has ended it before it ran at all: it has nothing but guards that were sent to it."""
        if self.state is not State.ENDED:
            self._tell_end(error)
            drive(self._let_go_of_all())
            self._end(error)

    # What it tells.

    def _result(self, what: What) -> None:
        due, self._due = self._due, None
        if due is None:
            self.run.transcript.effect(self.index, what)
        else:
            self.run.transcript.result(due, self.index, what)

    def _effect(self, what: What) -> None:
        self.run.transcript.effect(self.index, what)

    def _reply(self, operation: Operation, reply: Reply) -> None:
        """Tell the reply of an acquire."""
        if isinstance(reply, Refused):
            self._result(refused(operation.object, operation.name, True, reply.error))
        else:
            self._result(acquired(operation.object, operation.name, True))

    # Letting go.

    async def _let_go_of_all(self) -> None:
        while self.belongings:
            await self._let_go_of(self.belongings.pop())

    async def _let_go(self, what: LetGo) -> None:
        kind = Operation if what is LetGo.FUTURES else Guard
        going = [belonging for belonging in self.belongings if isinstance(belonging, kind)]
        self.belongings = [belonging for belonging in self.belongings if not isinstance(belonging, kind)]
        for belonging in reversed(going):
            await self._let_go_of(belonging)

    async def _let_go_of(self, belonging: Belonging) -> bool:
        """Let go of something, and tell it. Return whether it is gone: a lock may not take back what it is given."""
        if isinstance(belonging, Guard):
            error = self._give_back(belonging)
            if error is not None:
                self._effect({"not-released": {"object": belonging.object, "message": message(error)}})
            else:
                self._effect({"released": {"object": belonging.object}})
            self.runtime.tell_wakes()
            return error is None
        if isinstance(belonging, Operation):
            self._effect({"dropped-future": {"object": belonging.object, "future": belonging.name}})
            try:
                await self.close(belonging)
            except LockPanic as panic:
                self._effect(panicked(panic.error, scripted=False))
            self.runtime.tell_wakes()
        return True

    def _give_back(self, guard: Guard) -> BaseException | None:
        try:
            self._touch(guard.object, lambda: finish(guard.mutex.release()))
        except Suspended:
            self._lack("it gives way while it releases, and the worker releases in one go")
        except BaseException as error:
            return error
        return None

    async def close(self, operation: Operation) -> None:
        """Drop an operation that nobody awaits.

        A grant may win over the cancellation. It is given back then, as the `async with` that asked for it would.
        """
        if operation.is_finished:
            return
        if not operation.is_started:
            self._touch(operation.object, operation.close)
            return
        try:
            with self.runtime.cleaning_up():
                reply: Reply | None = self._touch(operation.object, lambda: self.runtime.drop(operation))
                if reply is None and not operation.is_finished and not operation.is_left:
                    reply = await self._outlast(operation)
        except BaseException as error:
            if isinstance(error, GeneratorExit) or self._has_cancellation(error):
                raise
            raise error if isinstance(error, LockPanic) else LockPanic(error) from error
        if isinstance(reply, Refused) and not self._is_cancellation(reply.error):
            # An exception in answer to the cancellation, as whoever awaits the cancelled would get it.
            raise LockPanic(reply.error)
        if isinstance(reply, Granted):
            refusal = self._give_back(Guard(operation.object, operation.mutex))
            if refusal is not None:
                self._effect({"not-released": {"object": operation.object, "message": message(refusal)}})

    async def _outlast(self, operation: Operation) -> Reply | None:
        """Wait for what an operation still does when it is cancelled. Return its reply, if it gives one."""
        reply: Reply | None = None
        before = self.state
        try:
            while reply is None:
                self.state = State.RUNNABLE if self.runtime.is_bare(operation) else State.PARKED
                try:
                    await self.runtime.wait(self, operation)
                except BaseException as error:
                    reply = self._throw(operation, error)
                else:
                    self._count_poll_in_scope()
                    reply = self._touch(operation.object, operation.send)
        except self.runtime.cancelled:
            if self._is_abort_asked_for:
                raise
        finally:
            self.state = before
        return reply

    def _touch(self, object_: int, act: Callable[[], Any]) -> Any:
        """Do something to an object: the wakes that come meanwhile come from it."""
        run = self.run
        before, run.touched = run.touched, object_
        try:
            return act()
        finally:
            run.touched = before

    # Waiting.

    def _poll(self, operation: Operation) -> Reply | None:
        """Resume an operation once, if its trap is over."""
        operation.polled_by = self
        if operation.is_started and not self.runtime.is_ready(operation):
            return None
        try:
            reply: Reply | None = self._touch(operation.object, operation.send)
        except BaseException as error:
            if not self._has_cancellation(error):
                raise LockPanic(error) from error
            if self.cancel_step is not None or self._is_abort_asked_for:
                raise
            # Nobody asked for it but the lock itself.
            return Refused(error)
        return reply

    def _throw(self, operation: Operation, error: BaseException) -> Reply | None:
        """Resume an operation with an exception."""
        try:
            reply: Reply | None = self._touch(operation.object, lambda: operation.throw(error))
        except BaseException as raised:
            if isinstance(error, GeneratorExit) or self._has_cancellation(raised):
                raise
            raise LockPanic(raised) from raised
        return reply

    async def _await(self, operation: Operation, is_kept: bool) -> Reply | None:
        """Wait for an operation. Return its reply, or nothing if it was cancelled."""
        self.waits_for = operation
        reply = await self._pass_bare_traps(operation)
        if reply is not None:
            self.waits_for = None
            self._tell_not_cancelled()
            return reply
        # A step that begins a wait may be cancelled, or its task aborted, before it is answered.
        self.cancellation = self.runtime.cancellation(self)
        try:
            with self.cancellation:
                try:
                    reply = await self._follow(operation, is_kept)
                except BaseException as error:
                    is_asked_for = self.cancel_step is not None or self._is_abort_asked_for
                    if is_asked_for or isinstance(error, LockPanic) or not self._has_cancellation(error):
                        raise
                    # Nobody asked for it but the lock itself.
                    reply = Refused(error)
        except Exception as left:
            if not hasattr(left, "exceptions"):
                raise
            # A group of exceptions, out of which the scope has taken its own.
            reply = Refused(left)
        self.state = State.RUNNING
        self.waits_for = None
        self.cancellation = None
        if reply is None:
            if self._due is not None:
                self._result(waits(operation.object, operation.name))
            self._tell_cancelled(operation, operation.name if is_kept else None)
            if is_kept and self.runtime.is_bare(operation):
                self._effect("promised")
        elif self.cancel_step is not None:
            self._tell_not_cancelled()
        return reply

    async def _pass_bare_traps(self, operation: Operation) -> Reply | None:
        """Resume a kept operation that the runtime would resume by itself.

        It may stand inside a scope of its own, around which none can be entered any more.
        """
        reply: Reply | None = None
        while reply is None and operation.is_started and self.runtime.is_bare(operation):
            self.state = State.RUNNABLE
            try:
                await self.runtime.wait(self, operation)
            except Exception as error:
                # The runtime refuses what it yielded.
                reply = self._throw(operation, error)
            else:
                self._count_poll_in_scope()
                reply = self._poll(operation)
            self.state = State.RUNNING
        return reply

    async def _follow(self, operation: Operation, is_kept: bool) -> Reply:
        scope = self.runtime.scope_of(self)
        reply = self._poll(operation)
        while reply is None:
            if is_kept:
                self._check_scope(scope)
            if self.runtime.is_bare(operation):
                self.state = State.RUNNABLE
            else:
                self.state = State.PARKED
                self._tell_wait(operation)
                self.runtime.park(self, operation, is_kept)
            wait = self.runtime.wait_beside if is_kept else self.runtime.wait
            try:
                await wait(self, operation)
            except BaseException as error:
                if is_kept:
                    raise
                self.state = State.RUNNING
                reply = self._throw(operation, error)
            else:
                self.state = State.RUNNING
                self.run.count_poll(self.index)
                spins = self.index in self.run.spinners
                reply = await self._stand_still(operation, is_kept) if spins else self._poll(operation)
            if reply is None:
                self.runtime.tell_wakes()
        return reply

    async def _stand_still(self, operation: Operation, is_kept: bool) -> Reply | None:
        """Wait for what ends a wait that spins: a cancel or an abort."""
        self.state = State.PARKED
        self._tell_wait(operation)
        try:
            while True:
                await self.runtime.gate(self)
        except BaseException as error:
            if is_kept:
                raise
            self.state = State.RUNNING
            return self._throw(operation, error)

    def _count_poll_in_scope(self) -> None:
        """Count a poll of an operation that cannot be left alone: if it spins, the run is over."""
        self.run.count_poll(self.index)
        self.run.is_livelock = self.run.is_livelock or self.index in self.run.spinners

    def _check_scope(self, before: object) -> None:
        """Raise `Lacking` if an operation stands inside a scope of its own, of which it cannot be left alone."""
        if self.runtime.scope_of(self) is not before:
            raise self._lack("it waits inside a cancel scope of its own, which its task cannot leave")

    def _tell_wait(self, operation: Operation) -> None:
        """Answer the step that began the wait; those behind it in one go cannot be taken."""
        if self._due is not None:
            self._result(waits(operation.object, operation.name))
        for steps in [self._left, *self.inbox]:
            if not isinstance(steps, LetGo):
                for step in steps:
                    self.run.begin_step(step)
                    self.run.transcript.result(step.index, self.index, not_run("waits"))
        self._left.clear()
        self.inbox.clear()

    def _tell_cancelled(self, operation: Operation | None, kept: int | None) -> None:
        what: What = {"cancelled": {"object": None if operation is None else operation.object, "kept": kept}}
        step, self.cancel_step = self.cancel_step, None
        if step is None or step == AT_REST:
            self._effect(what)
        else:
            self.run.transcript.result(step, self.index, what)

    def _tell_not_cancelled(self) -> None:
        step, self.cancel_step = self.cancel_step, None
        if step is not None and step != AT_REST:
            self.run.transcript.result(step, self.index, "not-cancelled")

    # The steps, by their verbs.

    def _object(self, step: Step) -> tuple[int, Mutex]:
        index = step.number("object")
        mutex = self.run.objects[index]
        if mutex is None:
            raise NotRun({"object-gone": {"object": index}})
        return index, mutex

    async def _ask(self, step: Step) -> None:
        index, mutex = self._object(step)
        request = step.fields["request"]
        if request == "acquire":
            operation: Operation = self._touch(index, lambda: Operation(self, index, mutex, None))
            self.runtime.before_park(self, operation, step.index)
            await self._acquire(operation)
        elif request == "try-acquire":
            try:
                self._call(index, mutex.try_acquire)
            except LockPanic as panic:
                if not isinstance(panic.error, Exception):
                    raise
                self._result(refused(index, None, False, panic.error))
            else:
                self._result(acquired(index, None, False))
                self.belongings.append(Guard(index, mutex))
        elif request == "is-locked":
            self._result({"answered": {"object": index, "locked": self._call(index, lambda: bool(mutex.is_locked()))}})
        else:
            self._result({"printed": {"object": index, "text": self._call(index, lambda: repr(mutex)[:TEXT_MAX])}})

    def _call(self, object_: int, call: Callable[[], Any]) -> Any:
        """Call something of an object. Raises `LockPanic` with whatever it raises."""
        try:
            return self._touch(object_, call)
        except BaseException as error:
            raise LockPanic(error) from error

    async def _acquire(self, operation: Operation) -> None:
        reply = await self._await(operation, is_kept=False)
        if reply is not None:
            self._reply(operation, reply)
            if isinstance(reply, Granted):
                self.belongings.append(Guard(operation.object, operation.mutex))

    def _guard_place(self, step: Step) -> int:
        index = step.number("object")
        for place in reversed(range(len(self.belongings))):
            belonging = self.belongings[place]
            if isinstance(belonging, Guard) and belonging.object == index:
                return place
        raise NotRun({"holds-no-guard": {"object": index}})

    def _take_guard(self, step: Step) -> Guard:
        guard = self.belongings.pop(self._guard_place(step))
        assert isinstance(guard, Guard), "the place of a guard was looked up"
        return guard

    async def _release(self, step: Step) -> None:
        place = self._guard_place(step)
        guard = self._take_guard(step)
        error = self._give_back(guard)
        if error is None:
            self._result({"released": {"object": guard.object}})
        else:
            self.belongings.insert(place, guard)
            self._result({"not-released": {"object": guard.object, "message": message(error)}})

    async def _forget(self, step: Step) -> None:
        guard = self._take_guard(step)
        self._result({"forgotten": {"object": guard.object}})

    async def _send_guard(self, step: Step) -> None:
        guard = self._take_guard(step)
        to = self.run.tasks[step.number("to")]
        received = to.state is not State.ENDED
        self._result({"sent-guard": {"object": guard.object, "to": to.index, "received": received}})
        if received:
            to.belongings.append(guard)
            return
        error = self._give_back(guard)
        if error is not None:
            self._effect({"not-released": {"object": guard.object, "message": message(error)}})

    async def _send_future(self, step: Step) -> None:
        operation = self._take_future(step)
        to = self.run.tasks[step.number("to")]
        received = to.state is not State.ENDED
        self._result({"sent-future": {"future": operation.name, "to": to.index, "received": received}})
        if received:
            to.belongings.append(operation)
        else:
            await self.close(operation)

    async def _panic(self, step: Step) -> None:
        self.runtime.before_end(self, step.index)
        error = ScriptedPanic("boom")
        self._result(panicked(error, scripted=True))
        raise error

    async def _return(self, step: Step) -> None:
        self.runtime.before_end(self, step.index)
        self._result("returned")

    async def _yield(self, _step: Step) -> None:
        self._result("yielded")
        self.state = State.YIELDED
        for step in self._left:
            self.run.begin_step(step)
            self.run.transcript.result(step.index, self.index, not_run("waits"))
        self._left.clear()
        self.cancellation = self.runtime.cancellation(self)
        gave_way = False
        with self.cancellation:
            await self.runtime.give_way()
            gave_way = True
        self.state = State.RUNNING
        self.cancellation = None
        if not gave_way:
            self._tell_cancelled(None, None)
        elif self.cancel_step is not None:
            self._tell_not_cancelled()

    def _future_place(self, name: int) -> int | None:
        for place, belonging in enumerate(self.belongings):
            if isinstance(belonging, Operation) and belonging.name == name:
                return place
        return None

    def _find_future(self, step: Step) -> tuple[int, Operation]:
        name = step.number("future")
        place = self._future_place(name)
        operation = None if place is None else self.belongings[place]
        if place is None or not isinstance(operation, Operation):
            raise NotRun({"keeps-no-future": {"future": name}})
        return place, operation

    def _take_future(self, step: Step) -> Operation:
        place, operation = self._find_future(step)
        self.belongings.pop(place)
        return operation

    def _keep(self, step: Step) -> Operation:
        name = step.number("future")
        if self._future_place(name) is not None:
            raise NotRun({"future-exists": {"future": name}})
        index, mutex = self._object(step)
        operation: Operation = self._touch(index, lambda: Operation(self, index, mutex, name))
        self.belongings.append(operation)
        return operation

    async def _prepare(self, step: Step) -> None:
        operation = self._keep(step)
        if operation.has_failed:
            # It was never there to be polled.
            await self._poll_step(step)
            return
        self._result({"prepared": {"object": operation.object, "future": operation.name}})

    async def _start(self, step: Step) -> None:
        self._keep(step)
        await self._poll_step(step)

    async def _poll_step(self, step: Step) -> None:
        """Poll a kept future once, in its place. A grant turns it into a guard that was got now."""
        place, operation = self._find_future(step)
        self.runtime.before_park(self, operation, step.index)
        was_parked = operation.is_started and not self.runtime.is_ready(operation)
        scope = self.runtime.scope_of(self)
        reply = self._poll(operation)
        if reply is not None:
            self._settle_future(place, operation, reply)
            return
        self._check_scope(scope)
        self._result({"pending": {"object": operation.object, "future": operation.name}})
        if self.runtime.is_bare(operation):
            self._effect("promised")
        elif not was_parked:
            self.runtime.park(self, operation, is_kept=True)

    def _settle_future(self, place: int, operation: Operation, reply: Reply) -> None:
        self._reply(operation, reply)
        self.belongings.pop(place)
        if isinstance(reply, Granted):
            self.belongings.append(Guard(operation.object, operation.mutex))

    async def _await_step(self, step: Step) -> None:
        place, operation = self._find_future(step)
        self.runtime.before_park(self, operation, step.index)
        if not step.fields["keep"]:
            self.belongings.pop(place)
            await self._acquire(operation)
            return
        reply = await self._await(operation, is_kept=True)
        if reply is not None:
            self._settle_future(self.belongings.index(operation), operation, reply)

    async def _drop(self, step: Step) -> None:
        operation = self._take_future(step)
        self._result({"dropped-future": {"object": operation.object, "future": operation.name}})
        await self.close(operation)

    async def _enter(self, step: Step) -> None:
        self.belongings.append(Scope(step.number("scope")))
        self._result("entered")

    async def _leave(self, step: Step) -> None:
        name = step.number("scope")
        places = [place for place, belonging in enumerate(self.belongings) if isinstance(belonging, Scope)]
        innermost = self.belongings[places[-1]] if places else None
        if not isinstance(innermost, Scope) or innermost.name != name:
            raise NotRun({"not-in-scope": {"scope": name}})
        self._result("left")
        inside = self.belongings[places[-1] :]
        del self.belongings[places[-1] :]
        kept = [belonging for belonging in reversed(inside) if not await self._let_go_of(belonging)]
        self.belongings.extend(reversed(kept))

    async def _hold(self, step: Step) -> None:
        self.runtime.clock.hold(step.number("micros") / 1e6)
        self._result("held")

    async def _spend_budget(self, _step: Step) -> None:
        self._result("spent")


STEPS: dict[str, Callable[[Task, Step], Coroutine[Any, Any, None]]] = {
    "ask": Task._ask,
    "release": Task._release,
    "forget": Task._forget,
    "send-guard": Task._send_guard,
    "send-future": Task._send_future,
    "panic": Task._panic,
    "return": Task._return,
    "yield": Task._yield,
    "start": Task._start,
    "prepare": Task._prepare,
    "poll": Task._poll_step,
    "await": Task._await_step,
    "drop": Task._drop,
    "enter": Task._enter,
    "leave": Task._leave,
    "hold": Task._hold,
    "spend-budget": Task._spend_budget,
}
