"""What the command line shows: progress on a terminal, plain lines elsewhere, tables, warnings."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.solver import Solver

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from plaingrad.diagnosis import Trial


def warn(message: str) -> None:
    """A sentence on standard error."""
    print(f"plaingrad: warning: {message}", file=sys.stderr)


def tell(message: str) -> None:
    """What the doctor says during training, on standard error."""
    print(message, file=sys.stderr, flush=True)


def discard_output() -> None:
    """Send standard output nowhere from now on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: dict[str, Any]) -> None:
    """One line of JSON, the last of standard output.  A number that is not finite is written as null."""
    print(json.dumps(_finite(value), allow_nan=False), flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
    """A table; the columns numbered in `right` are aligned right."""
    _print(_console(), _table(columns, rows, right))


def measured(parts: dict[str, dict[str, Any]], *, each_class: bool = False, matrix: bool = False) -> None:
    """A line for each set that `evaluation.evaluate` measured; what is not known has no column.

    Then, if wanted, the classes and the confusion matrix of the test set, or else of the validation set.
    """
    first = next(iter(parts.values()))
    shown = {"accuracy": lambda own: percent(own["accuracy"])}
    if "top_k" in first:
        shown[f"top-{first['top_k']}"] = lambda own: percent(own["top_k_accuracy"])
    shown["loss"] = lambda own: f"{own['loss']:.4f}"
    if first["ece"] is not None:
        shown["calibration error"] = lambda own: percent(own["ece"])
    shown["samples"] = lambda own: f"{own['samples']:,}"
    rows = [(part, *(cell(own) for cell in shown.values())) for part, own in parts.items()]
    table(["set", *shown], rows, right=range(1, len(shown) + 1))
    part = "test" if "test" in parts else "validation"
    if each_class:
        per_class(part, parts[part])
    if matrix:
        confusion(part, parts[part])


def per_class(part: str, own: dict[str, Any]) -> None:
    """The accuracy of each class of a set, and which other class its samples are most often taken for."""
    rows = []
    for index, (name, accuracy) in enumerate(own["per_class"].items()):
        counts = own["confusion"][index]
        samples = sum(counts)
        wrong = [0 if other == index else count for other, count in enumerate(counts)]
        most = max(wrong)
        other = list(own["per_class"])[wrong.index(most)] if most else "–"
        share = percent(most / samples if most else None)
        rows.append((name, percent(accuracy), f"{samples:,}", other, share))
    columns = [f"class ({part})", "accuracy", "samples", "most often taken for", "share"]
    table(columns, rows, right=(1, 2, 4))


def confusion(part: str, own: dict[str, Any]) -> None:
    """How many samples of each class of a set were taken for which, if that fits in the width there is."""
    from rich.cells import cell_len

    names, counts = list(own["per_class"]), own["confusion"]
    # A column's head is the number alone, or it would be too wide; so a row's has it, too.
    numbers = [str(index) for index in range(len(names))]
    heads = names if names == numbers else [f"{i} {name}" for i, name in enumerate(names)]
    width = max(len(str(max(map(max, counts)))), len(numbers[-1]))
    needed = 3 + max(map(cell_len, heads)) + len(names) * (width + 1)
    shown = _console()
    if needed > shown.width:
        print(
            f"the confusion matrix of {len(names)} classes is {needed} characters wide and does not fit in "
            f'{shown.width}: see "confusion" in what --json prints'
        )
        return
    rows = [
        (f"{head} ", *((str(count) if count else "·").rjust(width) for count in row))
        for head, row in zip(heads, counts, strict=True)
    ]
    print(f"  {part} set: how many samples of the class on the left were taken for the one above")
    _print(shown, _table(["", *numbers], rows, range(1, len(names) + 1), tight=True))


def trial(made: Trial) -> None:
    """What the doctor's change did: both trainings, and the verdict."""
    print(f"tried: {', '.join(made.changes)} ({made.finding.condition.replace('_', ' ')})")
    rows = [
        (
            name,
            f"{own.steps:,}",
            f"{own.epochs:.1f}",
            "–" if own.loss is None else f"{own.loss:.4f}",
            percent(own.train_accuracy),
            percent(own.val_accuracy),
            f"{own.seconds:.1f} s",
        )
        for name, own in (("before", made.before), ("after", made.after))
    ]
    columns = ["recipe", "steps", "epochs", "loss", "train accuracy", "validation accuracy", "time"]
    table(columns, rows, right=range(1, len(columns)))
    for name, own in (("before", made.before), ("after", made.after)):
        if own.failure:
            print(f"  {name}: {own.failure}")
    print(made.verdict)


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


def _console() -> Console:
    from rich.console import Console

    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = 160
    return made


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int], *, tight: bool = False
) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, padding=0 if tight else (0, 1))
    for i, name in enumerate(columns):
        made.add_column(Text(name), justify="right" if i in set(right) else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))  # Text: a name with [brackets] is not markup
    return made


def _print(console: Console, table: Table) -> None:
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines() if line.strip()))
