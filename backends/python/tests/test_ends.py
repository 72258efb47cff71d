"""Every run on trio comes to its end by itself: what is left behind is kept for ever, and could act in a later run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scenario_text import names

pytest.importorskip("trio")

# In a process of its own: a run waits for the threads of its process, and a test runner may have some.
EACH_ONCE = """
import sys
from scenario_text import names, read
from keyalike_worker import trio_runtime
from keyalike_worker.backends import find
from keyalike_worker.run import Lacking
from keyalike_worker.script import Script
from keyalike_worker.transcript import Transcript
from keyalike_worker.worker import conduct, refuse_what_is_lacking

backend = find("trio")
for name in names():
    script = Script.parse({**read(name), "within_micros": None})
    before = len(trio_runtime.abandoned)
    try:
        refuse_what_is_lacking(script, backend)
        conduct(backend, backend.locks, script, Transcript(lambda _answer: None))
    except Lacking:
        continue
    print("left" if len(trio_runtime.abandoned) > before else "ended", name)
"""


def test_nothing_is_left_behind() -> None:
    tests = Path(__file__).parent
    path = f"import sys; sys.path[:0] = [{str(tests)!r}, {str(tests.parent / 'src')!r}]\n"
    ran = subprocess.run([sys.executable, "-c", path + EACH_ONCE], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = [line.split() for line in ran.stdout.splitlines()]
    assert [name for word, name in told if word == "left"] == []
    assert len(told) > 0.8 * len(names())
