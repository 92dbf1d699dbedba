"""What a pre-flight found: a line for each question, to read, to print and to store."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["pass", "warn", "fail", "skipped"]

MARKS: Mapping[State, str] = {"pass": "✓", "warn": "!", "fail": "✗", "skipped": "–"}
_NAME = 15  # columns for a name
_WIDTH = 110


@dataclass(frozen=True)
class Line:
    """The answer to one question.

    name: of the question, such as "initial-loss".  state: "pass"; "warn" for what may well be meant, or may
    cost accuracy or time; "fail" for what makes a run worthless; "skipped" for what could not be asked.
    finding: what was found, with its numbers, or why the question was skipped.  advice: what to do; "" for
    nothing.  numbers: the same numbers by name, and others.
    """

    name: str
    state: State
    finding: str
    advice: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; None for a number that is not finite."""
        return {
            "name": self.name,
            "state": self.state,
            "finding": self.finding,
            "advice": self.advice,
            "numbers": _plain(self.numbers),
        }

    def __str__(self) -> str:
        margin = " " * (_NAME + 3)
        head = f"{MARKS[self.state]} {self.name:<{_NAME}} "
        text = textwrap.wrap(self.finding, _WIDTH, initial_indent=head, subsequent_indent=margin)
        if self.advice:
            text += textwrap.wrap(
                self.advice, _WIDTH, initial_indent=f"{margin}→ ", subsequent_indent=f"{margin}  "
            )
        return "\n".join(text)


@dataclass(frozen=True, repr=False)
class PreflightReport:
    """The result of a pre-flight: its lines in order.  Printed, it is one paragraph for each."""

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether no line fails."""
        return not any(line.state == "fail" for line in self.lines)

    def __getitem__(self, name: str) -> Line:
        """The line of that name."""
        return {line.name: line for line in self.lines}[name]

    @property
    def summary(self) -> str:
        """How many lines ended how, in words."""
        count = Counter(line.state for line in self.lines)
        warnings = f"{count['warn']} warning" + ("" if count["warn"] == 1 else "s")
        skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
        return f"{count['pass']} passed, {warnings}, {count['fail']} failed{skipped}"

    def to_dict(self) -> dict[str, Any]:
        """The same in numbers, strings, lists and dicts as JSON has them."""
        return {"ok": self.ok, "lines": [line.to_dict() for line in self.lines]}

    def __repr__(self) -> str:
        return "\n".join([*map(str, self.lines), self.summary])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
