"""The callback that writes a run's history and checkpoints."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad import checkpoint
from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.history import HistoryWriter
from plaingrad.run_folder import RunFolder, Warn
from plaingrad.solver import Solver


class Recorder(Callback):
    """Writes the history line by line, and a checkpoint when the last one is `every` seconds old.

    arrays, values: what goes into each checkpoint beside the solver's own.  A disk that does not take
    a file does not end training: `warn` hears of it, and the next save tries again.  `saved` is the
    newest checkpoint written.
    """

    def __init__(
        self, folder: RunFolder, arrays: dict[str, Any], values: dict[str, Any], every: float, warn: Warn
    ) -> None:
        self.folder, self.arrays, self.values, self.every, self.warn = folder, arrays, values, every, warn
        self.writer = HistoryWriter(folder.history_file)
        self.saved: Path | None = None
        self._last_save = -float("inf")

    def on_step(self, solver: Solver, loss: float) -> None:
        """Note the loss."""
        self.writer.append("step", step=solver.step, loss=loss)

    def on_epoch(self, solver: Solver, record: EpochRecord) -> None:
        """Note the record; save if it is time."""
        self.writer.append("epoch", **record.to_dict())
        self.flush()
        if time.monotonic() - self._last_save >= self.every:
            self._save(solver, self.folder.checkpoints, "training goes on")

    def on_end(self, solver: Solver) -> None:
        """Save the end."""
        self.save_somewhere(solver)

    def flush(self) -> None:
        """Write the history out."""
        try:
            self.writer.flush()
        except OSError as error:
            self.warn(f"could not write {self.folder.history_file}: {error.strerror}; training goes on")

    def save_somewhere(self, solver: Solver) -> None:
        """Save now: in the run folder, or if it takes nothing in the system's temporary folder."""
        self.flush()
        if self._save(solver, self.folder.checkpoints, "trying the temporary folder"):
            return
        rescue = Path(tempfile.gettempdir()) / f"plaingrad-rescued-{self.folder.path.name}"
        if self._save(solver, rescue, "the weights are lost: make room and train again"):
            self.warn(
                f"the weights were saved to {self.saved} instead: make room, copy that file into "
                f"{self.folder.checkpoints}, and go on with --resume {self.folder.path}"
            )

    def _save(self, solver: Solver, into: Path, otherwise: str) -> bool:
        target = checkpoint.path_for(into, solver.step)
        if self.saved == target:
            return True
        arrays, values = solver.state_dict()
        # After a step to infinity the checkpoint before stays the last: the next loss stops the run.
        if not all(
            np.isfinite(a).all() for name, a in arrays.items() if name.startswith(("params/", "state/"))
        ):
            return True
        try:
            checkpoint.save(target, arrays | self.arrays, values | self.values)
        except OSError as error:
            self.warn(f"could not save {target}: {error.strerror}; {otherwise}")
            return False
        checkpoint.keep_newest(into, 2)
        self.saved, self._last_save = target, time.monotonic()
        return True
