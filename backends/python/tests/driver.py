"""Drives a worker over its pipes, and prints what it tells as lines that a person can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src"


class Worker:
    """A worker process."""

    def __init__(
        self,
        backend: str,
        python: str = sys.executable,
        module: str = "keyalike_worker",
        before: Path | None = None,
    ) -> None:
        """Start it. Modules in the folder `before` stand for those of the same name."""
        path = os.pathsep.join(str(it) for it in [before, SOURCE, Path(__file__).parent] if it is not None)
        self.process = subprocess.Popen(
            [python, "-m", module, "--backend", backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.jobs = 0
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        self.hello: dict[str, Any] = json.loads(line)["hello"] if line else {}

    def send(self, order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def run(self, script: dict[str, Any], runs: int = 1) -> list[dict[str, Any]]:
        """Return all answers to a job."""
        assert self.process.stdout is not None
        self.jobs += 1
        job = {"job": self.jobs, "name": "test/it", "text": "", "script": script, "seat": "spawned", "runs": runs}
        self.send({"job": job})
        answers = []
        ended = 0
        while ended < runs:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError(self.process.stderr.read().decode())  # type: ignore[union-attr]
            answers.append(json.loads(line))
            ended += "outcome" in answers[-1]
            if "not-implemented" in answers[-1] or "error" in answers[-1]:
                break
        return answers

    def run_until(self, script: dict[str, Any], begun: str) -> list[dict[str, Any]]:
        """Return what is answered before a probe begins, in which the worker may well hang."""
        assert self.process.stdout is not None
        self.send({"job": {"job": 1, "name": "x/y", "text": "", "script": script, "seat": "spawned", "runs": 1}})
        answers: list[dict[str, Any]] = []
        while not answers or answers[-1] != {"begun": begun}:
            answers.append(json.loads(self.process.stdout.readline()))
        return answers

    def close(self) -> tuple[int, str]:
        """Say goodbye. Return the exit code and what stood on stderr."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        error = self.process.stderr.read().decode()  # type: ignore[union-attr]
        return self.process.wait(), error

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()  # type: ignore[union-attr]
        self.process.wait()


def render(script: dict[str, Any], answers: list[dict[str, Any]]) -> list[str]:
    """Return the transcript of the first run: a line per step with its result, then what followed."""
    tasks = script["tasks"]
    steps = [step for line in script["lines"] for step in line]
    parts: dict[Any, list[str]] = {step["step"]: [] for step in steps}
    parts.update({"probe": [], "rest": []})
    tail: list[str] = []
    for answer in answers:
        kind, value = next(iter(answer.items()))
        if kind == "event":
            at = value["at"] if isinstance(value["at"], str) else value["at"]["step"]
            who = "" if value["role"] == "result" or value["task"] is None else tasks[value["task"]] + " "
            text = who + words(script, value["what"])
            parts[at].insert(0, text) if value["role"] == "result" and isinstance(at, int) else parts[at].append(text)
        elif kind in ("not-implemented", "error"):
            return [f"{kind}: {value.get('why', value.get('message'))}"]
        elif kind == "outcome":
            tail = [f"probe {' '.join(value['probe'])}", f"rest {' '.join(value['rest'])}"]
            tail += [json.dumps(value["fault"])] if value["fault"] else []
            break
    return [f"{step['text']}: {'; '.join(parts[step['step']])}" for step in steps] + tail


def words(script: dict[str, Any], what: Any) -> str:
    """Return an event in words."""
    if isinstance(what, str):
        return what
    ((kind, value),) = what.items()
    several = len(script["objects"]) > 1
    text = str(kind)
    if kind == "not-run":
        reason = value["reason"]
        return f"not-run {reason if isinstance(reason, str) else next(iter(reason))}"
    if kind == "cancelled" and value["kept"] is not None:
        text += " kept"
    if several and isinstance(value.get("object"), int):
        text += " " + script["objects"][value["object"]]["name"]
    if value.get("message"):
        text += f" <{value['message']['display']}>"
    if "ending" in value and value["ending"] is not None:
        ending = value["ending"]
        text += (
            f" {ending}" if isinstance(ending, str) else " ".join(f" {k} <{m['display']}>" for k, m in ending.items())
        )
    if kind == "answered":
        text = "yes" if value["locked"] else "no"
    if kind in ("sent-guard", "sent-future") and not value["received"]:
        text += " to nobody"
    if kind == "printed":
        text += f" {value['text']}"
    return text


def main() -> None:
    """`driver.py BACKEND [SCENARIO...]`: print what a worker makes of scenarios."""
    import scenario_text

    chosen = sys.argv[2:] or scenario_text.names()
    executed = 0
    with Worker(sys.argv[1], os.environ.get("WORKER_PYTHON", sys.executable)) as worker:
        for name in chosen:
            script = scenario_text.read(name)
            lines = render(script, worker.run(script))
            executed += not lines[0].startswith(("not-implemented", "error"))
            print(f"== {name}", *lines, sep="\n")
        print(f"executed {executed} of {len(chosen)}")


if __name__ == "__main__":
    main()
