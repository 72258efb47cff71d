"""The threads that locks start: whether one of them may still do something to the event loop.

The kernel is asked, not a clock. A thread that sleeps without an end, in a lock of its own or in a poll, is woken by
another one or not at all. Processes are not seen.
"""

from __future__ import annotations

import _thread
import os
import platform
import sys
import threading
from collections.abc import Collection, Iterator
from typing import Any

LOOK_SECONDS = 0.0005
"""How long to wait between two looks at threads at work. It decides how soon their end is seen, and nothing else."""

ENDLESS_WITH_NULL: dict[str, dict[int, int]] = {
    "x86_64": {202: 3, 271: 2, 23: 4, 270: 4},
    "aarch64": {98: 3, 73: 2, 72: 4},
}
"""By machine and number: system calls that sleep without an end if this argument is null (futex, ppoll, select)."""

ENDLESS_WITH_MINUS_ONE: dict[str, dict[int, int]] = {
    "x86_64": {7: 2, 232: 3, 281: 3},
    "aarch64": {22: 3},
}
"""The same if this argument is -1 (poll, epoll_wait)."""

IDLE_PLACES = (("concurrent/futures/thread.py", "_worker"), ("queue.py", "get"), ("threading.py", "wait"))
"""Where threads wait for work, for machines whose kernel cannot be asked."""

_own: set[int] = set()
"""The worker's own threads, by the kernel's numbers."""


_may_be = True
"""Whether there may be any: to look costs more than to wait for most steps."""


def watch() -> None:
    """Look for threads only when one has been started. To be called when there are none but the worker's own."""
    global _may_be
    _may_be = False
    if sys.version_info >= (3, 12):
        sys.addaudithook(_note)
        return
    # Older releases tell no hook.
    start = _thread.start_new_thread

    def noted(*arguments: Any, **options: Any) -> int:
        _note("_thread.start_new_thread", ())
        return start(*arguments, **options)

    for module, name in ((_thread, "start_new_thread"), (threading, "_start_new_thread")):
        setattr(module, name, noted)


def _note(event: str, _arguments: object) -> None:
    global _may_be
    if event.startswith("_thread.start"):
        _may_be = True


def _open_tasks() -> int | None:
    try:
        return os.open("/proc/self/task", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


_tasks = _open_tasks()
"""The kernel's list of the threads of this process, where there is one."""


def is_own() -> None:
    """Note that the calling thread is the worker's own and touches no lock."""
    _own.add(threading.get_native_id())


def is_at_work() -> bool:
    """Return whether a thread beside the calling one may still do something."""
    if not _may_be or _count() <= len(_own) + 1:
        return False
    known = {*_own, threading.get_native_id(), *_idle_threads_of_trio()}
    if platform.machine() in ENDLESS_WITH_NULL:
        try:
            sleepers = _sleepers(known)
            # They were looked at one after the other, and one that worked then may have woken one that slept: none has
            # only if none has slept anew.
            return sleepers is None or sleepers != _sleepers(known)
        except OSError:
            pass
    return any(
        thread.native_id not in known and not _is_in_idle_place(thread.ident) for thread in threading.enumerate()
    )


def _sleepers(known: Collection[int | None]) -> dict[int, bytes] | None:
    """Return how often each thread but the `known` fell asleep, or `None` if one does not sleep for good."""
    sleepers = {}
    # The youngest first: what is left of earlier runs sleeps.
    for number in sorted(map(int, os.listdir("/proc/self/task")), reverse=True):
        if number in known:
            continue
        try:
            sleep = _endless_sleep(number)
        except (FileNotFoundError, ProcessLookupError):
            if os.path.exists(f"/proc/self/task/{number}"):
                raise
            # It has ended meanwhile.
            continue
        if sleep is None:
            return None
        sleepers[number] = sleep
    return sleepers


def _count() -> int:
    """Return how many threads there are. One that has been started counts at once, before it has run at all."""
    return _thread._count() + 1 if _tasks is None else os.fstat(_tasks).st_nlink - 2


def _idle_threads_of_trio() -> Iterator[int | None]:
    """Yield the threads that trio keeps for later, which wake up now and then to see whether they are too many."""
    cache = getattr(sys.modules.get("trio._core._thread_cache"), "THREAD_CACHE", None)
    for worker in list(getattr(cache, "_idle_workers", ())):
        thread = worker._thread
        frame = sys._current_frames().get(thread.ident)
        # One that is listed already may still hand over its result.
        if frame is not None and frame.f_code.co_name == "_work":
            yield thread.native_id


def _endless_sleep(number: int) -> bytes | None:
    """Ask the kernel the how many-th sleep of a thread this is; `None` if it does not sleep, or with an end.

    Raises `OSError` where the kernel does not tell. The system call alone does not say it: a thread that has been woken
    stands in it until its processor has heard of that, which takes long where a virtual one rests.
    """
    status = _read(number, "status")
    if not _fact(status, b"\nState:").startswith(b"S"):
        return None
    if not _sleeps_without_end(_read(number, "syscall").split()):
        return None
    return _fact(status, b"\nvoluntary_ctxt_switches:")


def _read(number: int, name: str) -> bytes:
    file = os.open(f"/proc/self/task/{number}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 8_192)
    finally:
        os.close(file)


def _fact(status: bytes, key: bytes) -> bytes:
    begin = status.find(key)
    if begin < 0:
        raise OSError("the kernel tells too little of a thread")
    return status[begin + len(key) :].split(b"\n", 1)[0].strip()


def _sleeps_without_end(words: list[bytes]) -> bool:
    """Judge a line such as `202 0x55... 0x189 0x0 0x0 ...`: a system call and its arguments."""
    if not words or not words[0].isdigit():
        # It runs.
        return False
    number, arguments = int(words[0]), [int(word, 16) for word in words[1:]]
    null = ENDLESS_WITH_NULL[platform.machine()].get(number)
    if null is not None:
        return arguments[null] == 0
    minus_one = ENDLESS_WITH_MINUS_ONE[platform.machine()].get(number)
    return minus_one is not None and arguments[minus_one] & 0xFFFFFFFF == 0xFFFFFFFF


def _is_in_idle_place(ident: int | None) -> bool:
    frame = sys._current_frames().get(ident or 0)
    if frame is None:
        return False
    code = frame.f_code
    return any(code.co_filename.endswith(file) and code.co_name == name for file, name in IDLE_PLACES)
