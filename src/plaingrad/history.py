"""The history of a run: `history.jsonl`, one JSON object per line, only ever appended to.

Lines: {"type": "step", "step", "loss"}, {"type": "epoch", ...EpochRecord}, {"type": "resume", "step"}
where a later sitting went on from a checkpoint, {"type": "time", "step", "seconds": {part: s}} since the time
line before, {"type": "end", ...} with the result, and what a watch saw: lines of the types in SEEN, each with
the number of steps that were done.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plaingrad.callbacks import EpochRecord
from plaingrad.errors import RunError

SEEN = ("setup", "order", "probes", "look", "measured", "non_finite", "data")

_MOST_STEPS = 10**9  # more than any history holds, and of an epoch: such a number is damage
_SHORTEST = 32  # bytes, of a line of a step: so many lines cannot tell of more steps than they have room for
_MOST_SECONDS = 1e10  # three hundred years


@dataclass
class History:
    """What a run recorded: the loss of every step, every evaluation, and the result once there is one.

    seen: what a watch noted, as it stands in the lines, oldest first; `insight.doctor` makes sense of it.
    laps: after how many steps, the seconds that each part of the work took since the lap before.
    """

    losses: list[float] = field(default_factory=list)
    records: list[EpochRecord] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    laps: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    result: dict[str, Any] | None = None

    @property
    def times(self) -> dict[str, float]:
        """The seconds that each part of the work took in all: "batches", "update", "evaluation", ...

        Empty for a run of a version that noted none.
        """
        total: dict[str, float] = {}
        for _, lap in self.laps:
            for part, seconds in lap.items():
                total[part] = total.get(part, 0.0) + seconds
        return total

    def up_to(self, step: int) -> History:
        """What was recorded up to `step`."""
        return History(
            self.losses[:step],
            [r for r in self.records if r.step <= step],
            [line for line in self.seen if line["step"] <= step],
            [lap for lap in self.laps if lap[0] <= step],
        )


class HistoryWriter:
    """Appends to a history file; lines are kept until `flush`, so that a step costs no system call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[str] = []
        with contextlib.suppress(OSError):  # no file yet; or one that takes nothing, which flush will say
            whole = path.read_bytes()
            if not whole.endswith(b"\n"):  # drop a last line that a crash cut short
                os.truncate(path, whole.rfind(b"\n") + 1)

    def append(self, kind: str, **values: Any) -> None:
        """Add a line."""
        self._lines.append(json.dumps({"type": kind, **values}) + "\n")

    def flush(self) -> None:
        """Write the lines out.  Raises OSError if the disk does not take them; they are then kept."""
        with self.path.open("a", encoding="utf-8") as file:
            before = file.tell()
            try:
                file.write("".join(self._lines))
                file.flush()
            except OSError:
                file.truncate(before)
                raise
        self._lines.clear()


def read(path: Path, *, warn: Callable[[str], None] | None = None) -> History:
    """Read a history file; a last line cut short (a crash while writing) is left out.

    Raises RunError for any other line that is not a record, and for a file that cannot be read.  With `warn`
    such lines are passed over, and it hears of them in one sentence.
    """
    history, damaged, size, resumed = History(), [], 0, 0
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        size += len(line) + 1
        # Some steps' lines may be lost to damage, and all of them before a sitting that went on from a checkpoint.
        most = resumed + size // _SHORTEST if history.losses else _MOST_STEPS
        try:
            values = _decode(line.decode("utf-8"))
            kind = values.pop("type")
            history = _with(history, kind, values, most)
            if kind == "resume":
                resumed = values["step"]
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            if number == len(lines):
                break
            if warn is None:
                raise RunError(f"{path}: line {number} is not a record of a run") from error
            damaged.append(number)
    if damaged and warn is not None:
        passed = "it is passed over" if len(damaged) == 1 else f"{len(damaged):,} such lines are passed over"
        warn(f"{path}: line {damaged[0]:,} is not a record of a run; {passed}")
    return history


def _with(history: History, kind: str, values: dict[str, Any], most: int) -> History:
    """The history with one line more, which tells of at most so many steps."""
    if kind == "step":
        history.losses[_step(values["step"], most, least=1) - 1 :] = [_number(values["loss"])]
    elif kind == "epoch":
        history.records.append(_record(values, most))
    elif kind == "resume":
        return history.up_to(_step(values["step"], _MOST_STEPS))
    elif kind in SEEN:
        history.seen.append({"type": kind, **values, "step": _step(values["step"], most)})
    elif kind == "time":
        history.laps.append((_step(values["step"], most), _lap(values["seconds"])))
    elif kind == "end":
        history.result = values
    return history


def _whole(digits: str) -> int:
    if len(digits) > 19:
        raise ValueError(f"{digits[:20]}... is larger than any number of a run")
    return int(digits)


_decode = json.JSONDecoder(parse_int=_whole).decode


def _record(values: dict[str, Any], most: int) -> EpochRecord:
    val_accuracy = values["val_accuracy"]
    epoch, step = _within(values["epoch"], _MOST_STEPS), _step(values["step"], most)
    if epoch and step > epoch * _MOST_STEPS:
        raise ValueError(f"{step} steps are no {epoch} epochs")
    return EpochRecord(
        epoch=epoch,
        step=step,
        lr=_number(values["lr"]),
        loss=_number(values["loss"]),
        train_accuracy=_within(values["train_accuracy"], 1),
        val_accuracy=None if val_accuracy is None else _within(val_accuracy, 1),
        seconds=_within(values["seconds"], _MOST_SECONDS),
    )


def _lap(value: dict[str, Any]) -> dict[str, float]:
    return {part: _within(seconds, _MOST_SECONDS) for part, seconds in value.items()}


def _step(value: Any, most: int, *, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r} is no number of steps")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _within(value: Any, most: float) -> float:
    """A number from 0 to `most`, so neither NaN nor infinite."""
    number = _number(value)
    if not 0 <= number <= most:
        raise ValueError(f"{value!r} is not from 0 to {most}")
    return number
