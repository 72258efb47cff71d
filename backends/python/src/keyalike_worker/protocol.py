"""The worker's side of the protocol: orders on stdin, answers on stdout, one JSON value a line, each flushed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

VERSION = 1

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


class BadOrder(Exception):
    """A line on stdin that is no order."""


class Channel:
    """The two pipes to whoever gives the orders."""

    def __init__(self) -> None:
        """Take stdout for answers alone: whatever a library prints goes to stderr."""
        self._out = os.dup(1)
        os.dup2(2, 1)

    def say(self, answer: dict[str, Any]) -> None:
        """Write one answer, at once."""
        self.write(line(answer))

    def write(self, text: bytes) -> None:
        """Write whole lines."""
        while text:
            text = text[os.write(self._out, text) :]

    @staticmethod
    def orders() -> Iterator[dict[str, Any]]:
        """Yield the orders until stdin ends.

        Raises `BadOrder`.
        """
        for number, text in enumerate(sys.stdin.buffer, 1):
            try:
                order = json.loads(text)
            except ValueError as error:
                raise BadOrder(f"line {number} of stdin is no order: {error}; send one JSON value a line") from error
            if not isinstance(order, dict) or len(order) != 1 or next(iter(order)) not in ("job", "goodbye"):
                raise BadOrder(f"line {number} of stdin is no order; send a `job` or a `goodbye`")
            yield order


def line(answer: dict[str, Any]) -> bytes:
    """Return an answer as a line."""
    # A lone surrogate has no place in UTF-8, and a library may print one.
    return _encode(answer).encode("utf-8", "replace") + b"\n"
