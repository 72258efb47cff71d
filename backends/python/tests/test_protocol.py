"""What a worker says, and how it ends."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from driver import Worker
from scenario_text import parse

ONE = "mutex m\nA acquire m\nA release m"


def test_hello_states_who_it_is(worker_of: Callable[[str], Worker]) -> None:
    hello = worker_of("asyncio").hello
    assert hello["protocol"] == 1
    assert hello["runtime"]["version"] == hello["locks"]["version"]
    assert hello["seats"] == ["spawned"]


def test_hello_repeats_the_version_that_was_asked_for() -> None:
    with Worker("asyncio@3") as worker:
        assert worker.hello["backend"] == "asyncio@3"


def test_runs_are_numbered(worker_of: Callable[[str], Worker]) -> None:
    answers = worker_of("asyncio").run(parse(ONE), runs=3)
    assert [answer["outcome"]["run"] for answer in answers if "outcome" in answer] == [0, 1, 2]
    assert [answer["started"]["run"] for answer in answers if "started" in answer] == [0, 1, 2]


def test_every_run_tells_the_same(worker_of: Callable[[str], Worker]) -> None:
    answers = worker_of("asyncio").run(parse(ONE), runs=2)
    events = [answer for answer in answers if "event" in answer]
    assert events[: len(events) // 2] == events[len(events) // 2 :]


@pytest.mark.parametrize(
    ("backend", "step"),
    [
        ("asyncio", "A try-acquire m"),
        ("asyncio", "A acquire m blocking"),
        ("asyncio", "A on wake poll"),
        ("asyncio", "detach A"),
        ("trio", "join A"),
        ("trio", "drop-handle A"),
    ],
)
def test_what_is_lacking_is_said_before_the_run(worker_of: Callable[[str], Worker], backend: str, step: str) -> None:
    answers = worker_of(backend).run(parse(f"mutex m\nA acquire m\n{step}"))
    assert [next(iter(answer)) for answer in answers] == ["not-implemented"]
    assert answers[0]["not-implemented"]["step"] == 1


def test_a_livelock_counts_outside_its_window(worker_of: Callable[[str], Worker]) -> None:
    answers = worker_of("asyncio+Spinning").run(parse("mutex m\nwithin 1us\nA acquire m\nB acquire m"))
    assert answers[-1]["outcome"]["fault"] == {"livelock": {"at": {"step": 1}, "tasks": [1]}}


def test_a_window_that_is_too_narrow_is_an_error(worker_of: Callable[[str], Worker]) -> None:
    answers = worker_of("asyncio").run(parse("mutex m\nwithin 1us\nA acquire m"))
    assert "widen the window" in answers[-1]["error"]["message"]


@pytest.mark.parametrize("order", ["goodbye", "end"])
def test_it_says_goodbye(order: str) -> None:
    with Worker("asyncio") as worker:
        if order == "goodbye":
            worker.send({"goodbye": {}})
        assert worker.close() == (0, "")


@pytest.mark.parametrize("line", ["no json", [], {"jib": 1}, {"job": {"job": 1}}, {"job": 7}])
def test_a_bad_order_is_told_and_ends_it(line: Any) -> None:
    with Worker("asyncio") as worker:
        worker.send(line)
        code, error = worker.close()
        assert code == 2
        assert "keyalike_worker: " in error
        assert "Traceback" not in error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(number: signal.Signals) -> None:
    with Worker("asyncio") as worker:
        worker.process.send_signal(number)
        assert worker.process.wait(10) == -number
        assert worker.process.stderr is not None
        assert worker.process.stderr.read() == b""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_signal_ends_a_run_quietly(worker_of: Callable[[str], Worker], backend: str) -> None:
    worker_of(backend)
    with Worker(backend) as worker:
        script = parse("mutex m\nA acquire m\nA hold 10s")
        worker.send({"job": {"job": 1, "name": "x/y", "text": "", "script": script, "seat": "spawned", "runs": 1}})
        time.sleep(0.3)
        worker.process.send_signal(signal.SIGINT)
        assert worker.process.wait(5) == -signal.SIGINT
        assert worker.process.stderr is not None
        assert worker.process.stderr.read() == b""


def test_an_unknown_backend_is_told() -> None:
    with Worker("curio") as worker:
        assert worker.hello == {}
        code, error = worker.close()
        assert code == 3
        assert "no backend is called `curio`" in error


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import asyncio; asyncio.what_was_once_there", "`trio` does not go with Python"),
        ("import what_was_once_there", "No module named 'what_was_once_there'"),
        ("import trio.lowlevel", "`trio` does not go with Python"),
        ("raise ModuleNotFoundError(name='trio')", "`trio` needs trio; install it into the environment"),
    ],
)
def test_a_library_that_cannot_be_imported_is_told(tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "trio.py").write_text(source)
    with Worker("trio", before=tmp_path) as worker:
        assert worker.hello == {}
        code, error = worker.close()
        assert code == 3
        assert said in error
        assert "Traceback" not in error


def test_what_hangs_is_cleaned_up_without_a_word() -> None:
    script = parse("mutex m\nA acquire m\nB acquire m\nC start x acquire m\nD prepare y acquire m\nA forget m")
    with Worker("asyncio") as worker:
        for _ in range(50):
            worker.run(script)
        assert worker.close() == (0, "")
