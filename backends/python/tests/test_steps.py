"""What each step comes to, on every runtime: a script, and the lines of its transcript."""

from __future__ import annotations

import re
from typing import Callable

import pytest

from conftest import is_possible
from driver import Worker, render
from scenario_text import parse

ANYIO = ["asyncio+anyio", "trio+anyio", "uvloop+anyio", "asyncio-eager+anyio", "asyncio+anyio-task-cancel"]
ASYNCIO = ["asyncio", "uvloop", "asyncio-eager"]
TRIO = ["trio", "trio+strict-fifo"]
EVERY = [*ANYIO, *ASYNCIO, *TRIO]
SCOPES = ["asyncio+anyio", "trio+anyio", "uvloop+anyio", "asyncio-eager+anyio", *TRIO]
NATIVE = ["asyncio+anyio-task-cancel", *ASYNCIO]

CASES = {
    "a_released_lock_goes_to_the_longest_waiter": (
        EVERY,
        """
        A acquire m -> acquired
        B acquire m -> waits
        C acquire m -> waits
        A release m -> released; B woken; B acquired
        B release m -> released; C woken; C acquired
        """,
    ),
    "a_step_of_a_task_that_waits_is_not_run": (
        EVERY,
        """
        A acquire m -> acquired
        B acquire m -> waits
        B yield -> not-run waits
        C release m -> not-run holds-no-guard
        C leave f -> not-run not-in-scope
        C poll x -> not-run keeps-no-future
        cancel A -> not-run does-not-wait
        """,
    ),
    "a_cancelled_wait_leaves_its_task_alive": (
        EVERY,
        """
        A acquire m -> acquired
        B acquire m -> waits
        cancel B -> cancelled
        B acquire m -> waits
        cancel B -> cancelled
        A release m -> released
        B acquire m -> acquired
        """,
    ),
    "a_grant_wins_over_a_scope": (
        SCOPES,
        """
        A acquire m -> acquired
        B acquire m -> waits
        C acquire m -> waits
        A release m; cancel B -> released; B woken | not-cancelled; B acquired
        B release m -> released; C woken; C acquired
        """,
    ),
    "a_native_cancel_wins_over_a_grant": (
        NATIVE,
        """
        A acquire m -> acquired
        B acquire m -> waits
        C acquire m -> waits
        A release m; cancel B -> released; B woken | cancelled; C woken; C acquired
        """,
    ),
    "steps_of_one_line_come_before_what_they_wake": (
        ["asyncio+anyio", "trio+anyio", *TRIO],
        """
        A acquire m -> acquired
        B acquire m -> waits
        A release m; C is-locked m; C try-acquire m; A acquire m \
            -> released; B woken | yes | refused <WouldBlock> | waits; B acquired
        """,
    ),
    "neighbours_of_one_task_are_taken_in_one_go": (
        EVERY,
        """
        A acquire m; A release m; A acquire m -> acquired | released | acquired
        B acquire m -> waits
        A release m; A acquire m; A yield -> released; B woken | waits | not-run waits; B acquired
        """,
    ),
    "a_task_comes_back_in_the_line_that_cancels_it": (
        EVERY,
        """
        A acquire m -> acquired
        B acquire m -> waits
        cancel B; B is-locked m -> cancelled | yes
        """,
    ),
    "scopes_release_in_reverse_order": (
        EVERY,
        """
        A enter f -> entered
        A acquire m -> acquired m
        A enter g -> entered
        A acquire n -> acquired n
        A leave f -> not-run not-in-scope
        A leave g -> left; A released n
        A acquire n -> acquired n
        A leave f -> left; A released n; A released m
        """,
    ),
    "a_scope_releases_what_poll_acquired_in_it": (
        EVERY,
        """
        B acquire m -> acquired
        A start x acquire m -> pending
        B release m -> released; A woken
        A enter f -> entered
        A poll x -> acquired
        A leave f -> left; A released
        """,
    ),
    "a_scope_drops_the_futures_that_were_made_in_it": (
        EVERY,
        """
        B acquire m -> acquired
        A enter f -> entered
        A start x acquire m -> pending
        A leave f -> left; A dropped-future
        """,
    ),
    "a_panic_unwinds": (
        EVERY,
        """
        A acquire m -> acquired m
        A acquire n -> acquired n
        A panic -> panicked <boom>; A released n; A released m
        A yield -> not-run gone
        """,
    ),
    "an_abort_unwinds": (
        ["asyncio", "asyncio+anyio", "uvloop"],
        """
        A acquire m -> acquired m
        A acquire n -> acquired n
        B acquire m -> waits m
        abort A -> aborted aborted <CancelledError>; A aborted; A released n; A released m; B woken m; B acquired m
        abort A -> not-run gone
        """,
    ),
    "an_aborted_waiter_of_trio_is_gone": (
        [*TRIO, "trio+anyio"],
        """
        A acquire m -> acquired
        B acquire m -> waits
        abort B -> aborted aborted <Cancelled*>; B aborted
        A release m -> released
        """,
    ),
    "a_granted_waiter_of_trio_is_aborted_as_a_holder": (
        [*TRIO, "trio+anyio"],
        """
        A acquire m -> acquired
        B acquire m -> waits
        A release m; abort B -> released; B woken | aborted aborted <Cancelled*>; B acquired; B aborted; B released
        """,
    ),
    "a_task_that_never_ran_can_be_aborted": (EVERY, "abort A -> aborted aborted <Cancelled*>; A aborted"),
    "a_stranger_may_release_what_has_no_owner": (
        ASYNCIO,
        """
        A acquire m -> acquired
        A send m B -> sent-guard
        B release m -> released
        """,
    ),
    "a_stranger_may_not_release_what_has_an_owner": (
        [*ANYIO, *TRIO],
        """
        A acquire m -> acquired
        A send m B -> sent-guard
        B release m -> not-released <*>
        B release m -> not-released <*>
        """,
    ),
    "a_kept_future_is_polled_and_woken": (
        EVERY,
        """
        A acquire m -> acquired
        B start x acquire m -> pending
        B poll x -> pending
        B start x acquire m -> not-run future-exists
        A release m -> released; B woken
        B await x -> acquired
        B release m -> released
        """,
    ),
    "a_lock_that_gives_way_promises": (
        ["asyncio+anyio", "uvloop+anyio", "trio", "trio+anyio"],
        """
        A start x acquire m -> pending; A promised
        B try-acquire m -> refused <WouldBlock>
        A await x -> acquired
        A release m -> released
        """,
    ),
    "a_cancelled_await_by_reference_keeps_the_future": (
        EVERY,
        """
        A acquire m -> acquired
        B start x acquire m -> pending
        B await-ref x -> waits
        cancel B -> cancelled kept
        A release m -> released; B woken
        B await-ref x -> acquired
        B release m -> released
        """,
    ),
    "a_dropped_future_leaves_the_queue": (
        EVERY,
        """
        A acquire m -> acquired
        B start x acquire m -> pending
        C acquire m -> waits
        B drop x -> dropped-future
        A release m -> released; C woken; C acquired
        """,
    ),
    "a_moved_future_goes_on_in_its_new_task": (
        EVERY,
        """
        A acquire m -> acquired
        B start x acquire m -> pending
        B send x C -> sent-future
        C await x -> waits
        A release m -> released; C woken; C acquired
        """,
    ),
    "a_moved_future_can_be_cancelled": (
        EVERY,
        """
        A acquire m -> acquired
        B start x acquire m -> pending
        B send x C -> sent-future
        C await x -> waits
        D acquire m -> waits
        cancel C -> cancelled
        A release m -> released; D woken; D acquired
        """,
    ),
    "two_futures_of_two_locks_are_told_apart": (
        EVERY,
        """
        A acquire m -> acquired m
        A acquire n -> acquired n
        B start x acquire m -> pending m
        B start y acquire n -> pending n
        B await y -> waits n
        A release m -> released m; B woken m
        A release n -> released n; B woken n; B acquired n
        B await x -> acquired m
        """,
    ),
    "a_dropped_object_is_gone": (
        EVERY,
        """
        A acquire m -> acquired
        drop m -> object-dropped
        B acquire m -> not-run object-gone
        drop m -> not-run object-gone
        A release m -> released
        """,
    ),
    "a_handle_is_awaited_once": (
        [*ASYNCIO, "asyncio+anyio"],
        """
        A yield -> yielded
        join A -> not-run still-runs
        A panic -> panicked <boom>
        join A -> joined panicked <*boom>
        join A -> not-run handle-gone
        B acquire m -> acquired
        drop-handle B -> handle-dropped
        abort B -> not-run handle-gone
        B release m -> released
        """,
    ),
    "what_is_sent_to_the_dead_is_given_back": (
        EVERY,
        """
        B return -> returned
        A acquire m -> acquired
        A send m B -> sent-guard to nobody
        C acquire m -> acquired
        """,
    ),
    "a_forgotten_guard_is_never_released": (
        EVERY,
        """
        A acquire m -> acquired
        A forget m -> forgotten
        A release m -> not-run holds-no-guard
        B acquire m -> waits
        """,
    ),
    "an_owner_that_asks_again_is_refused": (
        ["asyncio+anyio", "trio+anyio", *TRIO],
        """
        A acquire m -> acquired
        A acquire m -> refused <RuntimeError: *>
        """,
    ),
    "a_lock_without_owners_waits_for_itself": (
        ASYNCIO,
        """
        A acquire m -> acquired
        A acquire m -> waits
        cancel A -> cancelled
        A release m -> released
        B acquire m -> acquired
        """,
    ),
    "the_owner_of_a_lock_of_trio_is_gone": (
        TRIO,
        """
        A acquire m -> acquired
        B acquire m -> waits
        A forget m -> forgotten
        A return -> returned; B refused <BrokenResourceError: *>
        """,
    ),
}


@pytest.mark.parametrize(
    ("backend", "case"), [pytest.param(b, c, id=f"{c}-{b}") for c, (backends, _) in CASES.items() for b in backends]
)
def test_steps(worker_of: Callable[[str], Worker], backend: str, case: str) -> None:
    check(worker_of(backend), CASES[case][1])


def check(worker: Worker, text: str) -> None:
    """Run the left side of every line, and compare what came of it with the right side."""
    lines = [line.strip().partition(" -> ") for line in text.replace("\\\n", "").strip().splitlines()]
    head = "mutex m\nmutex n\n" if re.search(r" n\b", text) else "mutex m\n"
    script = parse(head + "\n".join(line[0] for line in lines))
    if re.search(r" n\b", text):
        assert len(script["objects"]) == 2
    steps = [step.strip() for line in lines for step in line[0].split(";")]
    wanted = [part.strip() for line in lines for part in line[2].split("|")]
    got = render(script, worker.run(script))
    for step, want, line in zip(steps, wanted, got):
        pattern = re.escape(f"{step}: {want}").replace(r"\*", ".*")
        assert re.fullmatch(pattern, line), "\n".join([f"wanted `{step}: {want}`, got:", *got])


def test_a_task_whose_abort_is_under_way_is_not_resumed_twice(worker_of: Callable[[str], Worker]) -> None:
    for backend in EVERY:
        if is_possible(backend):
            check(
                worker_of(backend),
                """
                A acquire m -> acquired
                abort A; A release m -> aborted aborted <Cancelled*> | not-run gone; A aborted; A released
                """,
            )
