"""What is awaited, driven by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Coroutine
from typing import Any


class Suspended(Exception):
    """A call that is not over when it gives way, where nothing can be awaited."""


async def _await(awaitable: Awaitable[object]) -> object:
    return await awaitable


def coroutine_of(awaitable: Any) -> Coroutine[Any, Any, object]:
    """Return what drives whatever a library has its users await. What cannot be awaited raises when driven."""
    return awaitable if isinstance(awaitable, Coroutine) else _await(awaitable)


def drive(coroutine: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine to its end, and return what it returns. Raises `Suspended` if it gives way."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    with contextlib.suppress(Exception):
        coroutine.close()
    raise Suspended


def finish(result: object) -> object:
    """Await what a call returned, if it can be awaited. Raises `Suspended` if it gives way."""
    return drive(coroutine_of(result)) if isinstance(result, Awaitable) else result
