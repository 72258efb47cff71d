"""What happens in a run, told as it happens, in the words of the protocol.

An event is a value made by one of the functions below; `Transcript` says when it happened and hands it on.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Optional, Union

What = Union[str, dict[str, Any]]
At = Union[str, dict[str, int]]
Message = dict[str, Optional[str]]
Say = Callable[[dict[str, Any]], None]

PROBE: At = "probe"
REST: At = "rest"


BARE_ADDRESS = re.compile(r"(?<!0x)\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,16}\b")
"""An address without its `0x`, as in the texts of anyio's cancellations. Keyalike takes out what has one."""


TEXT_MAX = 64 * 1024
"""How much of a text is told, in characters."""


def message(error: BaseException) -> Message:
    """Return the text of an exception, verbatim, behind the name of its type."""
    name = type(error).__name__
    try:
        text = str(error)[:TEXT_MAX]
    except BaseException as other:
        text = f"its text cannot be had: {type(other).__name__}"
    text = BARE_ADDRESS.sub(r"0x\g<0>", text)
    return {"display": f"{name}: {text}" if text and text != name else name, "debug": None}


def acquired(object_: int, future: int | None, wait: bool) -> What:
    """Return the event of a grant."""
    return {"acquired": {"object": object_, "future": future, "wait": wait}}


def waits(object_: int, future: int | None) -> What:
    """Return the event of a wait that began."""
    return {"waits": {"object": object_, "future": future, "thread": False}}


def refused(object_: int, future: int | None, wait: bool, error: BaseException) -> What:
    """Return the event of an exception instead of a grant."""
    return {"refused": {"object": object_, "future": future, "wait": wait, "message": message(error)}}


def panicked(error: BaseException, scripted: bool) -> What:
    """Return the event of a task that an exception ends. A scripted one says only its text."""
    text = {"display": str(error), "debug": None} if scripted else message(error)
    return {"panicked": {"scripted": scripted, "message": text}}


def not_run(reason: Any) -> What:
    """Return the event of a step that could not be taken."""
    return {"not-run": {"reason": reason}}


class Transcript:
    """Tells events as they happen, and when that is."""

    def __init__(self, say: Say) -> None:
        """Tell every event by `say`."""
        self._say = say
        self._is_open = True
        self._order = -1
        self.at: At = PROBE
        self.event_count = 0

    def begin(self, at: At) -> None:
        """Say that a step or a probe begins: what follows elsewhere stands under it."""
        self.at = at
        self._say({"begun": at})

    def begin_step(self, index: int) -> None:
        """Begin a step, unless a later one has begun already: what follows from a line stands under its last step."""
        if index > self._order:
            self._order = index
            self.begin({"step": index})

    def result(self, step: int, task: int | None, what: What) -> None:
        """Tell what came of a step."""
        self._tell({"step": step}, task, "result", what)

    def effect(self, task: int | None, what: What) -> None:
        """Tell what followed elsewhere or later."""
        self._tell(self.at, task, "effect", what)

    def tried(self, object_: int, trial: str) -> None:
        """Tell what a try by the conductor found."""
        self._tell(self.at, None, "result", {"tried": {"object": object_, "trial": trial}})

    def close(self) -> None:
        """Tell nothing any more: what comes now is the cleaning up after a run."""
        self._is_open = False

    def _tell(self, at: At, task: int | None, role: str, what: What) -> None:
        if self._is_open:
            self.event_count += 1
            self._say({"event": {"at": at, "task": task, "role": role, "what": what}})
