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
        self.is_livelock = False
        self.failure: BaseException | None = None
        """What went wrong in the worker itself."""
        self.touched: int | None = None
        """The object whose library is at work right now."""
        self._polls = [0] * len(script.tasks)
        self._polls_of_step = 0

    def begin_step(self, step: Step) -> None:
        """Begin a step of the script."""
        self.transcript.begin_step(step.index)
        self.begin_count()

    def begin_count(self) -> None:
        """Count polls from zero."""
        if self._polls_of_step:
            self._polls_of_step = 0
            self._polls = [0] * len(self._polls)

    def count_poll(self, task: int) -> None:
        """Count a resumption of a task."""
        self._polls[task] += 1
        self._polls_of_step += 1
        if self._polls_of_step > POLLS_MAX:
            self.is_livelock = True
            self.runtime.interrupt()

    def busiest(self) -> list[int]:
        """Return the tasks that were resumed most: at least half as often as the first of them."""
        most = max(self._polls, default=0)
        return [task for task, polls in enumerate(self._polls) if polls and polls * 2 >= most]
