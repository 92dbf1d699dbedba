"""The callback that writes a run's history and checkpoints."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from plaingrad import checkpoint
from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.history import HistoryWriter
from plaingrad.run_folder import RunFolder, Warn
from plaingrad.solver import Solver


class Recorder(Callback):
    """Writes the history line by line, and a checkpoint when the last one is `every` seconds old.

    arrays, values: what goes into each checkpoint beside the solver's own.  A disk that does not take
    a file does not end training: `warn` hears of it once, and each later save tries again.
    `saved` is the newest checkpoint there is, None before the first.
    """

    counted_as = "writing"

    def __init__(
        self, folder: RunFolder, arrays: dict[str, Any], values: dict[str, Any], every: float, warn: Warn
    ) -> None:
        self.folder, self.arrays, self.values, self.every, self.warn = folder, arrays, values, every, warn
        self.writer = HistoryWriter(folder.history_file)
        self.saved: Path | None = None
        self._last_save = -float("inf")
        self._failed: set[str] = set()
        self._timed: dict[str, float] = {}

    def on_step(self, solver: Solver, loss: float) -> None:
        """Note the loss."""
        self.writer.append("step", step=solver.step, loss=loss)

    def on_epoch(self, solver: Solver, record: EpochRecord) -> None:
        """Note the record; save if it is time."""
        self.writer.append("epoch", **record.to_dict())
        self.flush(solver)
        if time.monotonic() - self._last_save >= self.every:
            self._save(solver, self.folder.checkpoints, "training goes on, and later saves try again")

    def on_non_finite(self, solver: Solver, where: str | None, X: Any, y: Any) -> None:
        """Write out what led there."""
        self.flush(solver)

    def on_end(self, solver: Solver) -> None:
        """Save the end."""
        self.save_somewhere(solver)

    def flush(self, solver: Solver) -> None:
        """Write the history out, and where the time went since it was last written."""
        now, before = dict(solver.stopwatch.seconds), self._timed
        spent = {
            part: round(now[part] - before.get(part, 0.0), 6) for part in now if now[part] != before.get(part)
        }
        if spent:
            self.writer.append("time", step=solver.step, seconds=spent)
            self._timed = now
        try:
            self.writer.flush()
        except OSError as error:
            self._complain(self.folder.history_file, error, "training goes on")

    def save_somewhere(self, solver: Solver) -> bool:
        """Save now: in the run folder, or if that takes nothing in a temporary folder.

        True if the run folder then holds this step.
        """
        self.flush(solver)
        if infinite := solver.not_finite():
            self.warn(f"{infinite} is no longer finite: the weights after step {solver.step} are not saved")
            return False
        target = checkpoint.path_for(self.folder.checkpoints, solver.step)
        if self.saved == target or self._save(solver, self.folder.checkpoints, "trying a temporary folder"):
            return True
        try:
            rescue = Path(tempfile.mkdtemp(prefix=f"plaingrad-rescued-{self.folder.path.name}-"))
        except OSError as error:
            self._complain(Path(tempfile.gettempdir()), error, "the newest weights are lost")
            return False
        if self._save(solver, rescue, "the newest weights are lost: make room and train again"):
            self.warn(
                f"the weights were saved to {self.saved} instead: make room, copy that file into "
                f"{self.folder.checkpoints}, and go on with: {self.folder.resume_command}"
            )
        return False

    def _save(self, solver: Solver, into: Path, otherwise: str) -> bool:
        target = checkpoint.path_for(into, solver.step)
        arrays, values = solver.state_dict()
        try:
            checkpoint.save(target, arrays | self.arrays, values | self.values)
        except OSError as error:
            self._complain(target, error, otherwise)
            return False
        if into == self.folder.checkpoints:
            checkpoint.keep_newest(into, 2)
        self.saved, self._last_save = target, time.monotonic()
        return True

    def _complain(self, path: Path, error: OSError, otherwise: str) -> None:
        """Say what could not be written, once for each thing to do about it: a full disk stays full."""
        if otherwise not in self._failed:
            self._failed.add(otherwise)
            self.warn(f"could not write {path}: {error.strerror or error}; {otherwise}")
