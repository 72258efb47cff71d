"""Each planted fault shows in the events, in its own cells alone; each odd habit of a lock is waited for."""

from __future__ import annotations

import re
from typing import Any, Callable

import pytest

from driver import Worker, render
from scenario_text import parse

HAND_OVER = "mutex m\nA acquire m\nB acquire m\nA release m"
GRANT_AND_CANCEL = "mutex m\nA acquire m\nB acquire m\nC acquire m\nA release m; cancel B"
BARGE = "mutex m\nA acquire m\nB acquire m\nA release m; A acquire m"
STRANGER = "mutex m\nA acquire m\nA send m B\nB release m"

SPIN = (
    "mutex m\nA acquire m\nB acquire m\nB is-locked m\nC try-acquire m\n"
    "cancel B\nB is-locked m\nA release m\nC acquire m"
)
SPUN = [
    "B acquire m: waits*",
    "B is-locked m: not-run waits",
    "C try-acquire m: refused <*>",
    "cancel B: cancelled",
    "B is-locked m: yes",
    "A release m: released",
    "C acquire m: acquired",
    "probe refused",
    "rest free",
    '{"livelock": {"at": {"step": 1}, "tasks": [1]}}',
]
"""A livelock ends the wait that spins, and not the script."""
SPIN_AND_ABORT = "mutex m\nA acquire m\nB acquire m\nabort B\nA release m\nC acquire m"

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


ASK = "mutex m\nA acquire m\nB is-locked m\nB debug m"
AGAIN = "mutex m\nA acquire m\nA acquire m\nB acquire m"
CANCEL = "mutex m\nA acquire m\nB acquire m\ncancel B\nA release m\nC acquire m"
ABORT = "mutex m\nA acquire m\nB acquire m\nabort B\nA release m\nC acquire m"
KEPT = "mutex m\nA acquire m\nB start x acquire m\nA release m\nB await x"
PREPARED = "mutex m\nA acquire m\nB prepare x acquire m\nB await x"
DROPPED = "mutex m\nA acquire m\nB start x acquire m\nC acquire m\nB drop x\nA release m"
TRY = "mutex m\nA try-acquire m\nB is-locked m"
TWO = [
    "A release m: released; B woken; B acquired",
    "B acquire m: waits",
]
NOT_FOR_YOU = "A acquire m: panicked <{}: not for you>; A released"
BAD_ANSWERS: dict[str, list[tuple[str, list[str]]]] = {
    "BadIsLocked": [(ASK, ["B is-locked m: panicked <ValueError: is_locked broke>", "B debug m: not-run gone"])],
    "BadRepr": [(ASK, ["B is-locked m: yes", "B debug m: panicked <ValueError: repr broke>"])],
    "RaisesAtCall": [
        (AGAIN, ["A acquire m: refused <RuntimeError: would deadlock>"]),
        (PREPARED, ["B prepare x acquire m: refused <RuntimeError: would deadlock>"]),
    ],
    "OtherAwaitable": [(HAND_OVER, TWO), (KEPT, ["B await x: acquired"])],
    "Raising": [(AGAIN, [NOT_FOR_YOU.format("Odd"), "B acquire m: acquired", "rest free"])],
    "Exiting": [(AGAIN, [NOT_FOR_YOU.format("SystemExit"), "B acquire m: acquired"])],
    "Interrupting": [(AGAIN, [NOT_FOR_YOU.format("KeyboardInterrupt"), "B acquire m: acquired"])],
    "Closing": [(AGAIN, [NOT_FOR_YOU.format("GeneratorExit"), "B acquire m: acquired"])],
    "RaisingRelease": [(HAND_OVER, ["A release m: not-released <SystemExit: not from you>", "rest refused"])],
    "AsyncRelease": [(HAND_OVER, TWO)],
}
"""By their locks: what is told where a library does what no library should. The same on every runtime."""

PATIENCE: dict[str, list[tuple[str, list[str]]]] = {
    "Sleeps": [(HAND_OVER, ["A release m: released; B woken; B acquired"])],
    "InThread": [(HAND_OVER, ["rest free"])],
    "Spins": [(SPIN, SPUN), (SPIN_AND_ABORT, ["abort B: aborted aborted <*>; B aborted", "C acquire m: acquired"])],
    # On trio it stands in a cancel scope of its own that is over, and cannot be left alone: the run ends.
    "Polls": [("mutex m\nA acquire m\nB acquire m", ['{"livelock": {"at": {"step": 1}, "tasks": [1]}}'])],
}

ASYNCIO: dict[str, list[tuple[str, list[str]]]] = {
    "Polls": [(SPIN, SPUN)],
    "FutureAcquire": [(HAND_OVER, TWO), (ABORT, ["C acquire m: waits; C woken; C acquired"])],
    "NothingToAwait": [
        (TRY, ["A try-acquire m: acquired", "B is-locked m: yes"]),
        (AGAIN, ["B acquire m: refused <TypeError: object NoneType can't be used in 'await' expression>"]),
    ],
    "BadYield": [
        (AGAIN, ["A acquire m: refused <RuntimeError: Task got bad yield: 5>"]),
        (KEPT, ["B await x: refused <RuntimeError: Task got bad yield: 5>"]),
    ],
    "Cancelling": [(AGAIN, ["A acquire m: refused <CancelledError: not for you>"])],
    "RaisingTry": [(TRY, ["A try-acquire m: panicked <KeyboardInterrupt>", "probe panicked"])],
    "CleansUp": [
        (CANCEL, ["cancel B: cancelled; B woken", "C acquire m: acquired"]),
        (ABORT, ["abort B: aborted aborted <CancelledError>; B woken; B aborted", "C acquire m: acquired"]),
        (DROPPED, ["B drop x: dropped-future", "rest free"]),
    ],
    "GrantsLater": [(HAND_OVER, ["A release m: released; B woken; B acquired", "probe refused"])],
    "TimesOut": [(HAND_OVER, ["B acquire m: waits; *B refused <TimeoutError>"])],
    "InExecutor": [(HAND_OVER, ["A release m: released; B woken; B woken; B acquired"])],
    "InThread": [(HAND_OVER, ["A release m: released; B woken; B woken; B acquired"])],
    "InBareThread": [(HAND_OVER, ["A release m: released; B woken; B woken; B acquired"])],
    "WithServant": [(HAND_OVER, ["A release m: released; B woken; B woken; B acquired"])],
    "WaitingRelease": [
        (HAND_OVER, ["not-implemented: it gives way while it releases, and the worker releases in one go"])
    ],
    "CancelsHolder": [(HAND_OVER, ["A acquire m: acquired; A panicked <CancelledError>; A released"])],
}

IN_A_SCOPE = "not-implemented: it waits inside a cancel scope of its own, which its task cannot leave"
GROUP = "BaseExceptionGroup: Exceptions from Trio nursery (1 sub-exception)"
TRIO: dict[str, list[tuple[str, list[str]]]] = {
    "BadYield": [(AGAIN, ["B acquire m: refused <TypeError: trio.run received unrecognized yield message None*"])],
    "InNursery": [
        (CANCEL, ["cancel B: cancelled", "C acquire m: waits; C acquired"]),
        (ABORT, [f"abort B: aborted aborted <{GROUP}>; B aborted", "rest free"]),
        (KEPT, [IN_A_SCOPE]),
    ],
    "MixedGroup": [(CANCEL, ["cancel B: not-cancelled; B refused <ExceptionGroup: Exceptions from Trio nursery (1 *"])],
    "Shielded": [
        (AGAIN, ["A acquire m: waits", "rest refused"]),
        (CANCEL, ["cancel B: not-cancelled", "A release m: released; B woken; B acquired"]),
        (ABORT, ["abort B: not-cancelled", "A release m: released; B woken; B acquired; B aborted; B released"]),
    ],
    "Swallows": [(CANCEL, ['{"livelock": {"at": {"step": 2}, "tasks": [1]}}'])],
    "CleansUp": [
        (CANCEL, ["cancel B: cancelled", "C acquire m: acquired"]),
        (DROPPED, ["B drop x: dropped-future", "A release m: released; C woken; C acquired"]),
    ],
    "TimesOut": [(HAND_OVER, ["B acquire m: waits; B refused <TooSlowError>"]), (KEPT, [IN_A_SCOPE])],
    "InThread": [(HAND_OVER, ["A release m: released; B acquired"])],
}


def each(cases: dict[str, list[tuple[str, list[str]]]], *runtimes: str) -> list[Any]:
    return [pytest.param(f"{runtime}+{fault}", cases[fault]) for fault in cases for runtime in runtimes]


EVERY = [
    *each(CASES, "asyncio"),
    *each(BAD_ANSWERS, "asyncio", "uvloop", "trio"),
    *each(PATIENCE, "asyncio", "uvloop", "trio"),
    *each(ASYNCIO, "asyncio", "uvloop"),
    *each(TRIO, "trio"),
]


@pytest.mark.parametrize(("backend", "cases"), EVERY)
def test_planted(worker_of: Callable[[str], Worker], backend: str, cases: list[tuple[str, list[str]]]) -> None:
    check(worker_of(backend), cases)


def check(worker: Worker, cases: list[tuple[str, list[str]]]) -> None:
    """Run each script twice and look for the lines. What is told is the same, and the worker goes on."""
    for text, wanted in cases:
        script = parse(text)
        got = render(script, worker.run(script))
        missing = [line for line in wanted if not any(is_like(line, one) for one in got)]
        assert missing == [], "\n".join(got)
        again = render(script, worker.run(script))
        assert [without_address(line) for line in got] == [without_address(line) for line in again]


def is_like(wanted: str, line: str) -> bool:
    return re.fullmatch(re.escape(wanted).replace(r"\*", "(?s:.*)"), line) is not None


def without_address(line: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", line)


def test_a_lock_is_not_run_before_the_hello() -> None:
    with Worker("asyncio+HangsAtRelease", module="planted") as worker:
        assert worker.hello["locks"]["name"] == "HangsAtRelease"
        script = parse("mutex m\nA acquire m\nB is-locked m")
        assert "B is-locked m: yes" in render(script, worker.run_until(script, "probe"))


def test_a_lock_that_cannot_be_made_is_told_in_each_cell(worker_of: Callable[[str], Worker]) -> None:
    script = parse(HAND_OVER)
    for _ in range(2):
        got = render(script, worker_of("asyncio+Unmade").run(script))
        assert got == [
            "error: test/it on asyncio: NoObject: Unmade 0 makes no lock for `m`: RuntimeError: no lock today"
        ]


def test_a_lock_that_ends_the_program_is_named() -> None:
    with Worker("asyncio+EndsTheLoop", module="planted") as worker:
        with pytest.raises(EOFError, match="a lock has ended the program: SystemExit: 0"):
            worker.run(parse(HAND_OVER))
        assert worker.process.wait(10) == 1
