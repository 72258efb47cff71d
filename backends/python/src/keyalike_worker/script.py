"""The scenario that a worker is given: crowds given out to their members, names turned into indexes.

It is read once per job. Nothing here knows how a step is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """One step of one task, or of the conductor."""

    index: int
    text: str
    task: int | None
    is_of_task: bool
    verb: str
    fields: Mapping[str, Any]

    def number(self, field: str) -> int:
        """Return a field that is an index or a span."""
        value = self.fields[field]
        if not isinstance(value, int):
            raise TypeError(f"step {self.index}: `{field}` is {value!r}; send a number")
        return value


@dataclass(frozen=True)
class Declared:
    """A declared object."""

    name: str
    primitive: str


@dataclass(frozen=True)
class Script:
    """A scenario made ready to run."""

    tasks: Sequence[str]
    objects: Sequence[Declared]
    lines: Sequence[Sequence[Step]]
    within_micros: int | None

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Script:
        """Read the `script` of a job.

        Raises `KeyError`, `TypeError` or `ValueError` if it is not as the protocol says.
        """
        return cls(
            tasks=list(value["tasks"]),
            objects=[Declared(declared["name"], declared["primitive"]) for declared in value["objects"]],
            lines=[[parse_step(step) for step in line] for line in value["lines"]],
            within_micros=value["within_micros"],
        )

    def steps(self) -> Iterator[Step]:
        """Yield every step in order."""
        for line in self.lines:
            yield from line


def parse_step(value: Mapping[str, Any]) -> Step:
    """Read one step."""
    ((owner, deed),) = value["deed"].items()
    if owner not in ("task", "conductor"):
        raise ValueError(f"a deed of `{owner}`; it is of `task` or of `conductor`")
    return Step(value["step"], value["text"], value["task"], owner == "task", deed["verb"], deed)


def groups(line: Sequence[Step]) -> list[list[Step]]:
    """Split a line into what is done in one go: neighbouring steps of one task, and each step of the conductor."""
    found: list[list[Step]] = []
    for step in line:
        last = found[-1][-1] if found else None
        if last is not None and last.is_of_task and step.is_of_task and last.task == step.task:
            found[-1].append(step)
        else:
            found.append([step])
    return found
