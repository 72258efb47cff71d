"""Serves jobs on one backend until there are no more."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from typing import Any

from . import __version__, outside
from .backends import BACKENDS, Backend, NoBackend, find
from .conductor import Conductor
from .locks import Locks
from .protocol import VERSION, BadOrder, Channel, line
from .run import Lacking, Run
from .runtime import Unfit
from .script import Script, Step
from .transcript import Transcript, message

ASK = {"verb": "ask", "request": "acquire", "object": 0, "place": "task"}

LOOK_SECONDS = 0.25
"""How often it looks for its parent. That decides how long an orphan lives, and nothing else."""

ATTEMPTS_MAX = 10_000
"""How often a script with a time window is begun before the worker gives up."""

ATTEMPTS_PER_WORD = 100
"""How many attempts it makes without a word."""


def main() -> int:
    """Serve on stdin and stdout. Return the exit code: 2 for what is no order, 3 for a backend that cannot be."""
    parser = argparse.ArgumentParser(prog="keyalike_worker", description=__doc__)
    parser.add_argument("--backend", required=True, metavar="ID", help=", ".join(sorted(BACKENDS)))
    id_: str = parser.parse_args().backend
    # Whoever ends the worker has seen enough: no traceback, no tidying.
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGPIPE", signal.SIGTERM)):
        signal.signal(number, signal.SIG_DFL)
    # What tasks leave behind when a run is cut off is no news to anybody.
    warnings.simplefilter("ignore")
    # Nor is what a coroutine does that is thrown away.
    sys.unraisablehook = lambda _: None
    end_with_parent()
    try:
        backend = find(id_)
        cancel = probe_cancel(backend)
    except NoBackend as error:
        print(f"keyalike_worker: {error}", file=sys.stderr)
        return 3
    channel = Channel()
    channel.say({"hello": hello(id_, backend, cancel)})
    code = serve(backend, channel)
    sys.stderr.flush()
    # Threads that a lock has left behind are not waited for.
    os._exit(code)


def serve(backend: Backend, channel: Channel) -> int:
    """Serve jobs until there are no more. Return the exit code."""
    try:
        for order in channel.orders():
            if "goodbye" in order:
                break
            Server(backend, channel).serve(order["job"])
    except BadOrder as error:
        print(f"keyalike_worker: {error}", file=sys.stderr)
        return 2
    except BaseException as error:
        # In a callback of the event loop, say, where it ends every program.
        print(f"keyalike_worker: a lock has ended the program: {message(error)['display']}", file=sys.stderr)
        return 1
    channel.say({"goodbye": {}})
    return 0


def end_with_parent() -> None:
    """End this process when its parent is gone: in a lock that spins it would never see its stdin end."""
    parent = os.getppid()

    def look() -> None:
        outside.is_own()
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os._exit(3)

    threading.Thread(target=look, daemon=True).start()
    outside.watch()


def hello(id_: str, backend: Backend, cancel: str) -> dict[str, Any]:
    """Return who the worker is."""
    return {
        "protocol": VERSION,
        "worker": {"name": "keyalike-worker", "version": __version__},
        "backend": id_,
        "runtime": {"name": backend.runtime_name, "version": backend.runtime_version},
        "locks": {"name": backend.locks.name, "version": backend.locks.version},
        "capabilities": ["mutex", *backend.locks.capabilities, *backend.capabilities, cancel],
        "seats": ["spawned"],
    }


GRANTED_AND_CANCELLED: dict[str, Any] = {
    "tasks": ["A", "B"],
    "objects": [{"name": "m", "primitive": "mutex"}],
    "lines": [
        [{"step": 0, "text": "A acquire m", "task": 0, "deed": {"task": ASK}}],
        [{"step": 1, "text": "B acquire m", "task": 1, "deed": {"task": ASK}}],
        [
            {"step": 2, "text": "A release m", "task": 0, "deed": {"task": {"verb": "release", "object": 0}}},
            {"step": 3, "text": "cancel B", "task": 1, "deed": {"conductor": {"verb": "cancel"}}},
        ],
    ],
    "within_micros": None,
}
"""A script that any runtime can run. What comes of its last step is told in the hello."""


def probe_cancel(backend: Backend) -> str:
    """Return whether the runtime cancels a wait that was granted, as a capability.

    It is tried out on a wait of the worker's own: what the library does is for the scenarios to show, each in its cell.
    Raises `NoBackend` if the libraries that are installed do not go together.
    """
    answers: list[dict[str, Any]] = []
    measure = Locks("measure", "0", backend.measure, [], {})
    try:
        conduct(backend, measure, Script.parse(GRANTED_AND_CANCELLED), Transcript(answers.append))
    except (AttributeError, ImportError, LookupError, TypeError, RuntimeError, Unfit) as error:
        names = f"{backend.locks.name} {backend.locks.version} and {backend.runtime_name} {backend.runtime_version}"
        told = f"{type(error).__name__}: {error}"
        raise NoBackend(f"{names} do not go together: {told}; install releases of one time") from error
    events = [answer["event"] for answer in answers if "event" in answer]
    if any(event["at"] == {"step": 3} and event["what"] == "not-cancelled" for event in events):
        return "cancel: a granted wait cannot be cancelled"
    return "cancel: a granted wait can be cancelled"


def conduct(backend: Backend, locks: Locks, script: Script, transcript: Transcript) -> Conductor:
    """Run a script once."""
    runtime = backend.start()
    conductor = Conductor(Run(script, runtime, transcript), locks)
    runtime.run(conductor.conduct)
    return conductor


class Server:
    """Serves one job."""

    def __init__(self, backend: Backend, channel: Channel) -> None:
        """Run it on `backend` and answer on `channel`."""
        self._backend = backend
        self._channel = channel

    def serve(self, job: Any) -> None:
        """Run a job as often as it says.

        Raises `BadOrder` if it is no job.
        """
        try:
            number, runs, script = int(job["job"]), int(job["runs"]), Script.parse(job["script"])
        except (KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise BadOrder(f"a job is not as the protocol says: {what}; see docs/PROTOCOL.md") from error
        try:
            refuse_what_is_lacking(script, self._backend)
            for run in range(runs):
                self._run(script, {"job": number, "run": run})
        except Lacking as lacking:
            self._channel.say({"not-implemented": {"job": number, "step": lacking.step, "why": lacking.why}})
        except Exception as error:
            name = job.get("name", "")
            told = f"{name} on {self._backend.runtime_name}: {type(error).__name__}: {error}"
            self._channel.say({"error": {"job": number, "message": told}})

    def _run(self, script: Script, turn: Mapping[str, int]) -> None:
        """Run a script once, or until it took no longer than it may."""
        self._channel.say({"started": turn})
        if script.within_micros is None:
            conductor = conduct(self._backend, self._backend.locks, script, Transcript(self._channel.say))
        else:
            conductor = self._conduct_within(script, script.within_micros)
        end = {"probe": conductor.probes, "rest": conductor.rests, "fault": conductor.fault}
        self._channel.say({"outcome": {**turn, **end}})

    def _conduct_within(self, script: Script, micros: int) -> Conductor:
        """Run until a run is valid: its script took less than `micros`, or is a livelock. Only that run is told."""
        # What is thrown away is collected between the attempts.
        gc.disable()
        try:
            return self._attempt(script, micros)
        finally:
            gc.enable()

    def _attempt(self, script: Script, micros: int) -> Conductor:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            answers: list[dict[str, Any]] = []
            # Put into words only afterwards, so that the window measures the locks.
            conductor = conduct(self._backend, self._backend.locks, script, Transcript(answers.append))
            # A livelock takes longer than any window.
            if conductor.fault is not None or conductor.micros < micros:
                self._channel.write(b"".join(map(line, answers)))
                return conductor
            if attempt % ATTEMPTS_PER_WORD == 0:
                # A sign of life for the watchdog, which says nothing else.
                self._channel.say({"begun": {"step": 0}})
                gc.collect()
        raise TimeoutError(f"no run took less than {micros} us in {ATTEMPTS_MAX} attempts; widen the window")


def refuse_what_is_lacking(script: Script, backend: Backend) -> None:
    """Raise `Lacking` for the first step that no run could take."""
    for step in script.steps():
        why = lack(step, script, backend)
        if why is not None:
            raise Lacking(step.index, why)


def lack(step: Step, script: Script, backend: Backend) -> str | None:
    """Return why the backend cannot take a step, if it cannot."""
    if not step.is_of_task:
        return backend.lacks.get(step.verb)
    if step.verb in ("on", "resume"):
        return "Python has no wakers"
    if step.verb == "release-elsewhere":
        return "a lock of an event loop is not released on another thread"
    if step.verb == "ask" and step.fields["place"] != "task":
        return "the library has no blocking acquire"
    if "object" in step.fields:
        primitive = script.objects[step.number("object")].primitive
        if primitive != "mutex":
            return f"the worker has no {primitive}"
    request = step.fields.get("request")
    return backend.locks.lacks.get(request) if isinstance(request, str) else None
