"""What a worker needs of a lock library: one adapter per library and primitive, one file each.

An adapter translates, one call each, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Callable, Protocol


class Mutex(Protocol):
    """A live lock: at most one holder at a time."""

    def acquire(self) -> Awaitable[object]:
        """Return what takes it when it is awaited, waiting as long as need be."""

    def try_acquire(self) -> object:
        """Take it if that needs no waiting; raise the library's exception otherwise."""

    def release(self) -> object:
        """Give it back. What is returned is awaited if it can be."""

    def is_locked(self) -> bool:
        """Return whether somebody holds it."""


class Locks:
    """A lock library: how it is called, what it makes, and what it lacks."""

    def __init__(
        self,
        name: str,
        version: str,
        make: Callable[[], Mutex],
        capabilities: list[str],
        lacks: Mapping[str, str],
    ) -> None:
        """`lacks` maps a request, such as `try-acquire`, to the reason for which it cannot be made."""
        self.name = name
        self.version = version
        self.make = make
        self.capabilities = capabilities
        self.lacks = lacks
