"""The history of a run: `history.jsonl`, one JSON object per line, only ever appended to.

Lines: {"type": "step", "step", "loss"}, {"type": "epoch", ...EpochRecord}, {"type": "resume", "step"}
where a later sitting went on from a checkpoint, and {"type": "end", ...} with the result.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from plaingrad.callbacks import EpochRecord
from plaingrad.errors import RunError


@dataclass
class History:
    """What a run recorded: the loss of every step, every evaluation, and the result once there is one."""

    losses: list[float] = field(default_factory=list)
    records: list[EpochRecord] = field(default_factory=list)
    result: dict[str, Any] | None = None

    def up_to(self, step: int) -> History:
        """What was recorded up to `step`."""
        return History(self.losses[:step], [r for r in self.records if r.step <= step])


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


def read(path: Path) -> History:
    """Read a history file; a last line cut short (a crash while writing) is left out.

    Raises RunError for any other line that is not a record.
    """
    history = History()
    names = {f.name for f in fields(EpochRecord)}
    lines = path.read_bytes().splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            kind = values.pop("type")
            if kind == "step":
                history.losses[values["step"] - 1 :] = [values["loss"]]
            elif kind == "epoch":
                history.records.append(EpochRecord(**{n: values[n] for n in names}))
            elif kind == "resume":
                history = history.up_to(values["step"])
            elif kind == "end":
                history.result = values
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):
                break
            raise RunError(f"{path}: line {number} is not a record of a run") from error
    return history
