"""What the command line shows: progress on a terminal, plain lines elsewhere, tables, warnings."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.solver import Solver


def warn(message: str) -> None:
    """A sentence on standard error."""
    print(f"plaingrad: warning: {message}", file=sys.stderr)


def discard_output() -> None:
    """Send standard output nowhere from now on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: dict[str, Any]) -> None:
    """One line of JSON, the last of standard output.  A number that is not finite is written as null."""
    print(json.dumps(_finite(value), allow_nan=False), flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
    """A table; the columns numbered in `right` are aligned right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD)
    for i, name in enumerate(columns):
        made.add_column(name, justify="right" if i in set(right) else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))  # Text: a name with [brackets] is not markup
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    with console.capture() as captured:
        console.print(made)
    print("\n".join(line.rstrip() for line in captured.get().splitlines() if line.strip()))


class Lines(Callback):
    """One plain line per evaluation, for logs."""

    def on_epoch(self, solver: Solver, record: EpochRecord) -> None:
        """Print the record."""
        epochs = solver.total_steps / solver.steps_per_epoch
        try:
            print(
                f"epoch {record.epoch:g}/{epochs:g}  {_numbers(record)}  {record.seconds:.1f} s", flush=True
            )
        except BrokenPipeError:  # whoever read our lines stopped reading; that is no reason to stop training
            discard_output()


class Bar(Callback, AbstractContextManager["Bar"]):
    """A progress bar with loss, accuracies and time left.  Use it as a context manager around training."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("training"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(compact=True),
        )
        self._task = None
        self._smooth: float | None = None
        self._accuracies = ""

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def on_start(self, solver: Solver) -> None:
        """Show an empty bar, or a part of one for a run that goes on."""
        self._task = self._progress.add_task("", total=solver.total_steps, completed=solver.step, numbers="")

    def on_step(self, solver: Solver, loss: float) -> None:
        """Move the bar and the smoothed loss."""
        self._smooth = loss if self._smooth is None else 0.95 * self._smooth + 0.05 * loss
        self._show(solver)

    def on_epoch(self, solver: Solver, record: EpochRecord) -> None:
        """Show the accuracies."""
        val = "" if record.val_accuracy is None else f"  val {record.val_accuracy:.3f}"
        self._accuracies = f"  train {record.train_accuracy:.3f}{val}"
        self._show(solver)

    def _show(self, solver: Solver) -> None:
        if self._task is not None:
            loss = "" if self._smooth is None else f"loss {self._smooth:.4f}"
            self._progress.update(self._task, completed=solver.step, numbers=loss + self._accuracies)


def progress() -> AbstractContextManager[Callback]:
    """The right way to show training here: a bar on a terminal, lines elsewhere."""
    return Bar() if sys.stdout.isatty() else nullcontext(Lines())


def percent(value: float | None) -> str:
    """A fraction as per cent, or a dash."""
    return "–" if value is None else f"{100 * value:.1f} %"


def _numbers(record: EpochRecord) -> str:
    val = "" if record.val_accuracy is None else f"  val {record.val_accuracy:.4f}"
    return f"loss {record.loss:.4f}  train {record.train_accuracy:.4f}{val}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
