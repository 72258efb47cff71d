"""The conductor: gives the steps out, one line at a time, and waits for quiescence in between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from .awaiting import coroutine_of, finish
from .run import Lacking
from .runtime import trap
from .script import Step, groups
from .task import AT_REST, LetGo, State, Task
from .transcript import PROBE, REST, message, not_run

if TYPE_CHECKING:
    from .locks import Locks, Mutex
    from .run import Run

ROUNDS_MAX = 1_000
"""The most rounds in which all tasks are asked to let go. A lock that grants more often never comes to rest."""


GIVES_WAY_MAX = 10
"""How often an acquire may give way before it counts as a wait."""


class NoObject(Exception):
    """A library that does not make what the script declares, so that there is nothing to run."""


class Conductor:
    """Conducts one run."""

    def __init__(self, run: Run, locks: Locks) -> None:
        """Make it with nothing done yet."""
        self.run = run
        self.runtime = run.runtime
        self.transcript = run.transcript
        self.locks = locks
        self.probes: list[str] = []
        self.rests: list[str] = []
        self.fault: dict[str, Any] | None = None
        self._aborted: list[Task] = []
        self.micros = 0.0
        """How long the script took."""

    async def conduct(self) -> None:
        """Run the script and the two probes. Raises `Lacking` if the backend lacks a step after all."""
        run = self.run
        run.objects = [self._make(declared.name) for declared in run.script.objects]
        run.tasks = [Task(run, index) for index in range(len(run.script.tasks))]
        self.runtime.begin(run)
        began = time.perf_counter()
        for line in run.script.lines:
            await self._line(line)
            if run.is_livelock:
                break
        self.micros = (time.perf_counter() - began) * 1e6
        if not run.is_livelock:
            self.transcript.begin(PROBE)
            self.probes = await self._probe()
        if not run.is_livelock:
            self.transcript.begin(REST)
            await self._rest()
        if not run.is_livelock:
            self.rests = await self._probe()

    def _make(self, name: str) -> Mutex:
        try:
            return self.locks.make()
        except BaseException as error:
            told = message(error)["display"]
            raise NoObject(f"{self.locks.name} {self.locks.version} makes no lock for `{name}`: {told}") from error

    def _note_livelock(self) -> None:
        """Keep the first livelock: the run goes on without those who spin, if it can."""
        if (self.run.is_livelock or self.run.spinners) and self.fault is None:
            self.fault = {"livelock": {"at": self.transcript.at, "tasks": sorted(self.run.spinners)}}

    async def _line(self, line: Sequence[Step]) -> None:
        """Do the steps of a line with nothing in between; neighbours of one task share one go."""
        parts = groups(line)
        self.run.is_in_line = len(line) > 1
        if len(parts) > 1:
            await self._bring_to_life(line)
        takes: list[Callable[[], None]] = [partial(self._take, part) for part in parts]
        await self.runtime.line(takes)
        await self._settle()

    async def _bring_to_life(self, line: Sequence[Step]) -> None:
        """Spawn the tasks of a line before it: the first turn of a task would be scheduling in between."""
        tasks = {step.task for step in line if step.task is not None and step.is_of_task}
        new = [task for task in self.run.tasks if task.index in tasks and task.state is State.NEW]
        for task in new:
            self._spawn(task)
        if new:
            await self.runtime.settle()

    async def _settle(self) -> None:
        await self.runtime.settle()
        self.runtime.tell_wakes()
        self._note_livelock()
        for task in self._aborted:
            task.tell_survival()
        self._aborted.clear()
        if self.run.lacking is not None:
            # First: what cannot be told apart may well have gone wrong as well.
            raise self.run.lacking
        if self.run.failure is not None:
            raise self.run.failure

    def _spawn(self, task: Task) -> None:
        if task.state is State.NEW:
            task.state = State.SPAWNED
            self.runtime.spawn(task)

    def _take(self, part: Sequence[Step]) -> None:
        """Give neighbouring steps to their task, or do the conductor's own."""
        if self.run.lacking is not None:
            return
        first = part[0]
        self.run.begin_step(first)
        try:
            if first.is_of_task:
                self._give(part)
            elif first.task is None:
                self._act(first)
            else:
                self._act_on(first, self.run.tasks[first.task])
        except Lacking as lacking:
            self.run.lacking = lacking
        self.runtime.tell_wakes()

    def _give(self, part: Sequence[Step]) -> None:
        for step in part:
            if step.verb in ("send-guard", "send-future"):
                self._spawn(self.run.tasks[step.number("to")])
        assert part[0].task is not None, "a deed of a task has its task"
        task = self.run.tasks[part[0].task]
        if task.state is State.NEW:
            task.inbox.append(part)
            self._spawn(task)
        elif task.state is State.GATE and task.abort_step is None:
            task.inbox.append(part)
            self.runtime.resume(task)
        elif task.will_come_back:
            task.inbox.append(part)
        else:
            reason = "gone" if task.state is State.ENDED else "waits"
            for step in part:
                self.run.begin_step(step)
                self.transcript.result(step.index, task.index, not_run(reason))

    # The conductor's own steps.

    def _act(self, step: Step) -> None:
        if step.verb == "hold":
            self.runtime.clock.hold(step.number("micros") / 1e6)
            self.transcript.result(step.index, None, "held")
            return
        index = step.number("object")
        if self.run.objects[index] is None:
            self.transcript.result(step.index, None, not_run({"object-gone": {"object": index}}))
        else:
            self.run.objects[index] = None
            self.transcript.result(step.index, None, "object-dropped")

    def _act_on(self, step: Step, task: Task) -> None:
        reason = {
            "cancel": self._cancel,
            "abort": self._abort,
            "join": self._join,
            "drop-handle": self._drop_handle,
        }[step.verb](step, task)
        if reason is not None:
            self.transcript.result(step.index, task.index, not_run(reason))

    def _cancel(self, step: Step, task: Task) -> str | None:
        if task.state is State.ENDED:
            return "gone"
        is_cleaning_up = task.state is State.PARKED and task.cancellation is None
        if not task.is_waiting or task.cancel_step is not None or is_cleaning_up:
            return "does-not-wait"
        self._cancel_wait(task, step.index)
        return None

    @staticmethod
    def _cancel_wait(task: Task, step: int) -> None:
        task.cancel_step = step
        if task.cancellation is not None:
            task.cancellation.cancel()

    def _abort(self, step: Step, task: Task) -> str | None:
        if task.state is State.ENDED:
            return "gone"
        if not task.has_handle:
            return "handle-gone"
        self._spawn(task)
        self.runtime.before_end(task, step.index)
        task.has_handle = False
        task.abort_step = step.index
        self._aborted.append(task)
        self.runtime.abort(task)
        return None

    def _join(self, step: Step, task: Task) -> str | None:
        if task.state is not State.ENDED and task.has_handle:
            return "still-runs"
        if not task.has_handle:
            return "handle-gone"
        task.has_handle = False
        self.transcript.result(step.index, task.index, {"joined": {"ending": task.ending}})
        return None

    def _drop_handle(self, step: Step, task: Task) -> str | None:
        self._spawn(task)
        if not task.has_handle:
            return "handle-gone"
        task.has_handle = False
        self.transcript.result(step.index, task.index, "handle-dropped")
        self.runtime.drop_handle(task)
        return None

    # After the script.

    async def _probe(self) -> list[str]:
        """Try every object from outside, and give back at once what it got."""
        trials = []
        for index, mutex in enumerate(self.run.objects):
            self.run.begin_count()
            trials.append("gone" if mutex is None else await self._try_once(index, mutex))
            await self._settle()
        return trials

    async def _try_once(self, index: int, mutex: Mutex) -> str:
        self.run.touched = index
        try:
            trial = "free" if await self._try_to_take(mutex) else "refused"
        except BaseException:
            trial = "panicked"
        self.transcript.tried(index, trial)
        self.runtime.tell_wakes()
        if trial == "free":
            try:
                finish(mutex.release())
            except BaseException:
                trial = "panicked"
                self.transcript.tried(index, trial)
        self.run.touched = None
        self.runtime.tell_wakes()
        return trial

    async def _try_to_take(self, mutex: Mutex) -> bool:
        if "try-acquire" not in self.locks.lacks:
            try:
                mutex.try_acquire()
            except Exception:
                return False
            return True
        if mutex.is_locked():
            return False
        # An acquire takes a free lock at once, or after it has given way; what waits instead is given up.
        coroutine = coroutine_of(mutex.acquire())
        signal: Any = None
        for _ in range(GIVES_WAY_MAX):
            try:
                what = coroutine.send(signal)
            except StopIteration:
                return True
            except Exception:
                return False
            if not self.runtime.gives_way(what):
                break
            signal = await trap(what)
        coroutine.close()
        return False

    async def _rest(self) -> None:
        """Have everybody let go of everything: waits first, then kept futures, then guards, until nothing changes.

        The waits of those who spin go before all others: what they were granted would be lost.
        """
        for index in sorted(self.run.spinners):
            if self.run.tasks[index].has(LetGo.WAITS):
                await self._let_go(self.run.tasks[index], LetGo.WAITS)
        for _ in range(ROUNDS_MAX):
            before = self.transcript.event_count
            for what in LetGo:
                for task in self.run.tasks:
                    if task.has(what):
                        await self._let_go(task, what)
                    if self.run.is_livelock:
                        return
            if self.transcript.event_count == before:
                return

    async def _let_go(self, task: Task, what: LetGo) -> None:
        self.run.begin_count()
        await self.runtime.line([partial(self._have_let_go, task, what)])
        await self._settle()

    def _have_let_go(self, task: Task, what: LetGo) -> None:
        if what is not LetGo.WAITS:
            if task.state is State.GATE:
                task.inbox.append(what)
                self.runtime.resume(task)
        elif task.is_waiting and task.cancel_step is None:
            self._cancel_wait(task, AT_REST)
