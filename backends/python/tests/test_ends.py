"""Every run on trio comes to its end by itself: what is left behind is kept for ever, and could act in a later run."""

from __future__ import annotations

import pytest

from scenario_text import names, read

pytest.importorskip("trio")

from keyalike_worker import trio_runtime
from keyalike_worker.backends import find
from keyalike_worker.run import Lacking
from keyalike_worker.script import Script
from keyalike_worker.transcript import Transcript
from keyalike_worker.worker import conduct, refuse_what_is_lacking


@pytest.mark.parametrize("name", names())
def test_nothing_is_left_behind(name: str) -> None:
    backend = find("trio")
    script = Script.parse({**read(name), "within_micros": None})
    before = len(trio_runtime.abandoned)
    try:
        refuse_what_is_lacking(script, backend)
        conduct(backend, backend.locks, script, Transcript(lambda _answer: None))
    except Lacking:
        pytest.skip("trio lacks a step of it")
    assert len(trio_runtime.abandoned) == before
