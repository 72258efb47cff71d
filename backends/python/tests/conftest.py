"""One worker per backend for all tests: a worker keeps nothing from one job to the next."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import Callable

import pytest

from driver import Worker

NEEDS = {"anyio": "anyio", "trio": "trio", "uvloop": "uvloop", "strict": "trio"}


def is_possible(backend: str) -> bool:
    """Return whether what a backend needs is installed here."""
    words = backend.replace("-", "+").split("+")
    if "eager" in words and sys.version_info < (3, 12):
        return False
    return all(importlib.util.find_spec(NEEDS[word]) for word in words if word in NEEDS)


@pytest.fixture(scope="session")
def worker_of() -> Iterator[Callable[[str], Worker]]:
    """Return the worker of a backend; skip the test where it cannot be."""
    workers: dict[str, Worker] = {}

    def find(backend: str) -> Worker:
        if not is_possible(backend):
            pytest.skip(f"{backend} is not installed")
        if backend not in workers:
            is_planted = backend.partition("+")[2][:1].isupper()
            workers[backend] = Worker(backend, module="planted" if is_planted else "keyalike_worker")
        return workers[backend]

    yield find
    for worker in workers.values():
        worker.__exit__()
