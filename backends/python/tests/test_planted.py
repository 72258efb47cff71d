"""Each planted fault shows in the events, and the sound lock beside them has none."""

from __future__ import annotations

from typing import Callable

import pytest

from driver import Worker, render
from scenario_text import parse

HAND_OVER = "mutex m\nA acquire m\nB acquire m\nA release m"
GRANT_AND_CANCEL = "mutex m\nA acquire m\nB acquire m\nC acquire m\nA release m; cancel B"
BARGE = "mutex m\nA acquire m\nB acquire m\nA release m; A acquire m"
STRANGER = "mutex m\nA acquire m\nA send m B\nB release m"

CASES = {
    "Sound": [
        (HAND_OVER, ["A release m: released; B woken; B acquired", "probe refused", "rest free"]),
        (GRANT_AND_CANCEL, ["cancel B: cancelled; C woken; C acquired", "rest free"]),
        (BARGE, ["A acquire m: waits; B acquired"]),
        (STRANGER, ["B release m: released"]),
    ],
    "LostWakeup": [(HAND_OVER, ["A release m: released", "probe free"])],
    "LeakyCancel": [(GRANT_AND_CANCEL, ["cancel B: cancelled", "rest refused"])],
    "Barging": [(BARGE, ["A release m: released; B woken", "A acquire m: acquired"])],
    "TwoHolders": [(HAND_OVER, ["B acquire m: acquired"])],
    "Owned": [(STRANGER, ["B release m: not-released <PermissionError: not yours>", "rest refused"])],
    "Spinning": [("mutex m\nA acquire m\nB acquire m", ['{"livelock": {"at": {"step": 1}, "tasks": [1]}}'])],
}


@pytest.mark.parametrize("fault", CASES)
def test_planted(worker_of: Callable[[str], Worker], fault: str) -> None:
    check(worker_of(f"asyncio+{fault}"), CASES[fault])


def check(worker: Worker, cases: list[tuple[str, list[str]]]) -> None:
    """Run each script and look for the lines."""
    for text, wanted in cases:
        script = parse(text)
        got = render(script, worker.run(script))
        assert [line for line in wanted if line not in got] == [], "\n".join(got)
