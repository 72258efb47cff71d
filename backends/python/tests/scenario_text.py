"""Makes a scenario's text ready to run, as keyalike does for a worker: just enough of the language for the tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

SUITES = Path(__file__).parents[3] / "suites"
PROGRAM = re.compile(r"^[A-Z]\S*: ", re.MULTILINE)
"""A line of a scenario that leaves the order to the explorer: no worker runs those."""
OTHER = re.compile(r"^(semaphore|rwlock) ", re.MULTILINE)
"""The declaration of an object that the worker does not have."""
MICROS = {"us": 1, "ms": 1_000, "s": 1_000_000}


def read(name: str) -> dict[str, Any]:
    """Return the script of a hand-written scenario."""
    return parse((SUITES / f"{name}.scenario").read_text())


def names() -> list[str]:
    """Return the names of all hand-written scenarios of mutexes."""

    def is_run(text: str) -> bool:
        return not PROGRAM.search(text) and not OTHER.search(text)

    scripts = (path for path in SUITES.glob("*/*.scenario") if is_run(path.read_text()))
    return sorted(str(path.relative_to(SUITES).with_suffix("")) for path in scripts)


def parse(text: str) -> dict[str, Any]:
    """Return the script of a text."""
    return Parser(text).script


class Parser:
    def __init__(self, text: str) -> None:
        self.objects: list[dict[str, str]] = []
        self.futures: list[str] = []
        self.scopes: list[str] = []
        within = None
        raw: list[list[str]] = []
        for line in text.splitlines():
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            word = line.split()[0] if line else ""
            if word == "mutex":
                self.objects.append({"name": line.split()[1], "primitive": "mutex"})
            elif word == "within":
                within = self.micros(line.split()[1])
            elif word and word not in ("rule", "source", "show", "accept"):
                raw.append([step.strip() for step in line.split(";")])
        expanded = [[self.members(step) for step in line] for line in raw]
        words = " ".join(step for line in expanded for members in line for step in members).split()
        self.tasks = sorted({w for w in words if re.fullmatch(r"[A-Z]\d*", w)}, key=lambda t: (t[0], int(t[1:] or -1)))
        lines: list[list[dict[str, Any]]] = []
        count = 0
        for line in expanded:
            steps = []
            for step in (step for members in line for step in members):
                steps.append(self.step(count, step))
                count += 1
            lines.extend([[step] for step in steps] if len(line) == 1 else [steps])
        self.script = {
            "tasks": self.tasks,
            "objects": self.objects,
            "futures": self.futures,
            "scopes": self.scopes,
            "within_micros": within,
            "lines": lines,
        }

    @staticmethod
    def micros(span: str) -> int:
        number, unit = re.fullmatch(r"(\d+)(us|ms|s)", span).groups()  # type: ignore[union-attr]
        return int(number) * MICROS[unit]

    @staticmethod
    def members(step: str) -> list[str]:
        crowd = re.search(r"([A-Z])\[(\d+)\.\.(\d+)\]", step)
        if not crowd:
            return [step]
        letter, first, last = crowd.group(1), int(crowd.group(2)), int(crowd.group(3))
        return [step.replace(crowd.group(0), f"{letter}{number}") for number in range(first, last + 1)]

    def object(self, name: str) -> int:
        return [known["name"] for known in self.objects].index(name)

    @staticmethod
    def intern(names: list[str], name: str) -> int:
        if name not in names:
            names.append(name)
        return names.index(name)

    def step(self, index: int, text: str) -> dict[str, Any]:
        first, *rest = text.split()
        task = None
        if re.fullmatch(r"[A-Z]\d*", first):
            task, deed = self.tasks.index(first), {"task": self.deed(*rest)}
        elif first == "hold":
            deed = {"conductor": {"verb": "hold", "micros": self.micros(rest[0])}}
        elif first == "drop":
            deed = {"conductor": {"verb": "drop-object", "object": self.object(rest[0])}}
        else:
            task, deed = self.tasks.index(rest[0]), {"conductor": {"verb": first}}
        return {"step": index, "text": text, "task": task, "deed": deed}

    def deed(self, verb: str, *rest: str) -> dict[str, Any]:
        if verb in ("acquire", "try-acquire", "is-locked", "debug"):
            place = {(): "task", ("blocking",): "thread", ("blocking", "inside"): "inside"}[rest[1:]]
            return {"verb": "ask", "request": verb, "object": self.object(rest[0]), "place": place}
        if verb in ("release", "forget"):
            return {"verb": verb, "object": self.object(rest[0])}
        if verb == "send":
            to = self.tasks.index(rest[1])
            if rest[0] in [known["name"] for known in self.objects]:
                return {"verb": "send-guard", "object": self.object(rest[0]), "to": to}
            return {"verb": "send-future", "future": self.intern(self.futures, rest[0]), "to": to}
        if verb in ("start", "prepare"):
            future = self.intern(self.futures, rest[0])
            return {"verb": verb, "future": future, "request": rest[1], "object": self.object(rest[2])}
        if verb in ("poll", "await", "await-ref", "drop"):
            future = self.intern(self.futures, rest[0])
            if verb.startswith("await"):
                return {"verb": "await", "future": future, "keep": verb == "await-ref"}
            return {"verb": verb, "future": future}
        if verb in ("enter", "leave"):
            return {"verb": verb, "scope": self.intern(self.scopes, rest[0])}
        if verb == "hold":
            return {"verb": verb, "micros": self.micros(rest[0])}
        if verb == "on":
            return {"verb": "on", "event": rest[0], "reaction": rest[1]}
        return {"verb": verb}
