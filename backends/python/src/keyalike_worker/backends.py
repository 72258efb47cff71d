"""The backends by their ids: a runtime and a lock library each."""

from __future__ import annotations

import asyncio
import inspect
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Callable

from .awaiting import drive, finish
from .locks import Locks, Mutex
from .locks.measure import AsyncioMeasure, TrioMeasure
from .runtime import Runtime


@dataclass(frozen=True)
class Backend:
    """A runtime and a lock library, ready to run."""

    runtime_name: str
    runtime_version: str
    locks: Locks
    start: Callable[[], Runtime]
    capabilities: list[str]
    measure: Callable[[], Mutex]
    """Makes what is known to wait, for the worker to try out how the runtime cancels."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """The conductor's verbs that the runtime has no call for, with the reason."""


class NoBackend(Exception):
    """A backend that cannot be started here."""


LIBRARIES = ("anyio", "trio", "uvloop")
"""What backends are made of, besides Python."""

COROUTINES = "kept futures: coroutines driven by hand, dropped by cancelling them"

CLOCK = "clock: the event loop's stands still while anything can run, then goes on to the next timer"
THREADS = "threads: waited for until each has ended or sleeps without an end; processes are not seen"

ASYNCIO_LACKS = {"detach": "asyncio has no call that detaches a task"}
TRIO_LACKS = dict.fromkeys(("detach", "join", "drop-handle"), "trio has no handles of tasks")


class AwaitedScope:
    """A scope of anyio before 3.0, whose calls are awaited. None of them gives way."""

    def __init__(self, scope: Any) -> None:
        """Wrap `scope`."""
        self._scope = scope

    def __enter__(self) -> object:
        """Begin."""
        return drive(self._scope.__aenter__())

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> bool:
        """End."""
        return bool(drive(self._scope.__aexit__(kind, error, trace)))

    def cancel(self) -> object:
        """Cancel."""
        return finish(self._scope.cancel())


def anyio_cancellation() -> Callable[..., Any]:
    """Return what makes a scope of anyio. The oldest releases call it `open_cancel_scope`."""
    import anyio

    make = getattr(anyio, "CancelScope", None)
    if make is None or inspect.isabstract(make):
        make = anyio.open_cancel_scope

    def enterable(*_tasks: object) -> Any:
        scope = make()
        return scope if hasattr(scope, "__enter__") else AwaitedScope(scope)

    return enterable


def asyncio_backend(make_locks: Callable[[], Locks], native_cancel: bool, **options: Any) -> Backend:
    """Return asyncio with some locks."""
    from .asyncio_runtime import AsyncioRuntime

    if not native_cancel:
        options["make_cancellation"] = anyio_cancellation()
    cancel = "cancel: Task.cancel(), caught" if native_cancel else "cancel: anyio.CancelScope"
    return Backend(
        options.pop("name", "asyncio"),
        options.pop("version", platform.python_version()),
        make_locks(),
        lambda: AsyncioRuntime(**options),
        [COROUTINES, cancel, "abort: Task.cancel()", CLOCK, THREADS],
        AsyncioMeasure,
        ASYNCIO_LACKS,
    )


def uvloop_backend(make_locks: Callable[[], Locks], native_cancel: bool) -> Backend:
    """Return asyncio on uvloop's event loop."""
    from .uvloop_loop import SeenLoop

    options = {"name": "uvloop", "version": version("uvloop"), "make_loop": SeenLoop}
    return asyncio_backend(make_locks, native_cancel, **options)


def eager_backend(make_locks: Callable[[], Locks], native_cancel: bool) -> Backend:
    """Return asyncio with tasks that begin to run where they are created."""
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is None:
        raise NoBackend(f"Python {platform.python_version()} has no eager tasks; use 3.12 or later")
    return asyncio_backend(make_locks, native_cancel, name="asyncio-eager", task_factory=factory)


def trio_backend(make_locks: Callable[[], Locks], scope: str) -> Backend:
    """Return trio with some locks; operations are cancelled by the scopes of `scope`."""
    from .trio_runtime import TrioRuntime, trio_cancellation

    make: Callable[..., Any] = trio_cancellation if scope == "trio" else anyio_cancellation()
    return Backend(
        "trio",
        version("trio"),
        make_locks(),
        lambda: TrioRuntime(make),
        [COROUTINES, f"cancel: {scope}.CancelScope", "abort: trio.CancelScope", "order: FIFO batches", CLOCK, THREADS],
        TrioMeasure,
        TRIO_LACKS,
    )


def plain() -> Locks:
    """Return the locks of asyncio."""
    from .locks import asyncio_lock

    return asyncio_lock.locks()


def trio_locks() -> Locks:
    """Return trio's plain locks."""
    from .locks import trio_lock

    return trio_lock.locks()


def strict() -> Locks:
    """Return trio's strict locks."""
    from .locks import trio_lock

    return trio_lock.strict_fifo_locks()


def anyio_locks() -> Locks:
    """Return anyio's locks."""
    from .locks import anyio_lock

    return anyio_lock.locks()


def fast() -> Locks:
    """Return anyio's fast locks."""
    from .locks import anyio_lock

    try:
        return anyio_lock.fast_locks()
    except anyio_lock.NoFastAcquire as error:
        raise NoBackend(str(error)) from error


BACKENDS: dict[str, Callable[[], Backend]] = {
    "asyncio": lambda: asyncio_backend(plain, True),
    "asyncio+anyio": lambda: asyncio_backend(anyio_locks, False),
    "asyncio+anyio-fast": lambda: asyncio_backend(fast, False),
    "asyncio+anyio-task-cancel": lambda: asyncio_backend(anyio_locks, True),
    "asyncio-eager": lambda: eager_backend(plain, True),
    "asyncio-eager+anyio": lambda: eager_backend(anyio_locks, False),
    "asyncio-eager+anyio-fast": lambda: eager_backend(fast, False),
    "asyncio-eager+anyio-task-cancel": lambda: eager_backend(anyio_locks, True),
    "trio": lambda: trio_backend(trio_locks, "trio"),
    "trio+anyio": lambda: trio_backend(anyio_locks, "anyio"),
    "trio+anyio-fast": lambda: trio_backend(fast, "anyio"),
    "trio+strict-fifo": lambda: trio_backend(strict, "trio"),
    "uvloop": lambda: uvloop_backend(plain, True),
    "uvloop+anyio": lambda: uvloop_backend(anyio_locks, False),
    "uvloop+anyio-fast": lambda: uvloop_backend(fast, False),
    "uvloop+anyio-task-cancel": lambda: uvloop_backend(anyio_locks, True),
}


def find(id_: str) -> Backend:
    """Return a backend by its id, whatever version stands behind an `@`: that is what is installed.

    Raises `NoBackend` if there is none, or if what it needs is not installed.
    """
    name = id_.partition("@")[0]
    make = BACKENDS.get(name)
    if make is None:
        raise NoBackend(f"no backend is called `{name}`; there are {', '.join(sorted(BACKENDS))}")
    try:
        return make()
    except NoBackend:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in LIBRARIES:
            why = f"`{name}` needs {error.name}; install it into the environment of {sys.executable}"
        else:
            # An old library uses what this Python has no more, and says so in its own way while it is imported.
            told = f"{type(error).__name__}: {error}"
            python = platform.python_version()
            why = f"`{name}` does not go with Python {python}: {told}; choose another release of either"
        raise NoBackend(why) from error
