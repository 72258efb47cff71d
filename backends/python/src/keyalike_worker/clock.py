"""The clock that a runtime shows to the locks: it stands still while anything can run.

When nothing can, time goes on to the next timer; while a thread of a lock is at work, time passes as it really does. So
a lock that waits for a time is waited for, in no time, and how fast a machine is reaches no outcome.
"""

from __future__ import annotations

import time

LEAST_SECONDS = 1e-9
"""How far time goes on at least, so that no rounding makes it stand still in front of a timer."""


class Clock:
    """The time of one run, in seconds."""

    def __init__(self) -> None:
        """Begin at an hour at which no difference of two times is lost in rounding."""
        self.time = 1_000.0

    def now(self) -> float:
        """Return the time, for whoever wants to be able to ask again."""
        return self.time

    def go_to(self, when: float) -> None:
        """Go on to a timer."""
        self.time = max(when, self.time + LEAST_SECONDS)

    def hold(self, seconds: float) -> None:
        """Let time pass, here and outside, as a step asks."""
        time.sleep(seconds)
        self.time += seconds

    def look_away(self, seconds: float) -> None:
        """Let threads work for a moment; time passes as it really does."""
        began = time.monotonic()
        time.sleep(seconds)
        self.time += time.monotonic() - began
