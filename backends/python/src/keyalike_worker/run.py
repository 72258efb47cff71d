"""What the conductor and the tasks of one run share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .locks import Mutex
    from .runtime import Runtime
    from .script import Script, Step
    from .task import Task
    from .transcript import Transcript

POLLS_MAX = 10_000
"""The most resumptions of tasks within one step; more is a livelock."""

TURNS_MAX = 10_000
"""The most turns of the runtime within one step; more is a livelock."""

SPIN_SHARE = 10
"""Who was resumed in the last of so many parts of a step's resumptions spins."""


class Lacking(Exception):
    """The backend lacks what a step asks for, and only the run could show it."""

    def __init__(self, step: int, why: str) -> None:
        """`why` is for the reader of a report."""
        super().__init__(why)
        self.step = step
        self.why = why


class Run:
    """One run of one script."""

    def __init__(self, script: Script, runtime: Runtime, transcript: Transcript) -> None:
        """Make it with no tasks yet."""
        self.script = script
        self.runtime = runtime
        self.transcript = transcript
        self.objects: list[Mutex | None] = []
        self.tasks: list[Task] = []
        self.lacking: Lacking | None = None
        self.is_in_line = False
        """Whether the line that was begun last has several steps."""
        self.spinners: set[int] = set()
        """The tasks that kept a step from coming to its end. What they wait for is not resumed any more."""
        self.is_livelock = False
        """Whether the run ends at a livelock, because what spins cannot be stopped."""
        self.failure: BaseException | None = None
        """What went wrong in the worker itself."""
        self.touched: int | None = None
        """The object whose library is at work right now."""
        self._last_polls = [0] * len(script.tasks)
        """For each task the number of its last resumption within the step, from 1."""
        self._polls_of_step = 0
        self._turns_of_step = 0

    def begin_step(self, step: Step) -> None:
        """Begin a step of the script."""
        self.transcript.begin_step(step.index)
        self.begin_count()

    def begin_count(self) -> None:
        """Count polls and turns from zero."""
        self._turns_of_step = 0
        if self._polls_of_step:
            self._polls_of_step = 0
            self._last_polls = [0] * len(self._last_polls)

    def count_poll(self, task: int) -> None:
        """Count a resumption of a task."""
        if self._polls_of_step >= POLLS_MAX:
            self.is_livelock = not self._give_up()
        self._polls_of_step += 1
        self._last_polls[task] = self._polls_of_step

    def count_turn(self) -> None:
        """Count a turn of the runtime."""
        self._turns_of_step += 1
        if self._turns_of_step > TURNS_MAX:
            # If the tasks have little to do with it, it is something else that spins.
            is_of_tasks = self._polls_of_step * SPIN_SHARE >= TURNS_MAX
            self.is_livelock = not (self._give_up() and is_of_tasks)

    def _give_up(self) -> bool:
        """Take note of who spins, and give the others as many polls and turns again.

        Return whether that can help: one who spins still when it is left alone cannot be stopped.
        """
        first = self._polls_of_step - max(1, self._polls_of_step // SPIN_SHARE)
        spinners = {task for task, last in enumerate(self._last_polls) if last > max(0, first)}
        can_help = bool(spinners - self.spinners)
        self.spinners |= spinners
        self.begin_count()
        return can_help
