"""A run in a notebook: what it came to in a sentence, its numbers, the course of its accuracy."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from plaingrad.errors import PlaingradError
from plaingrad.history import History
from plaingrad.network import Network
from plaingrad.predictions import Predictions
from plaingrad.report.words import counted, duration, headline, percent
from plaingrad.run_folder import RunFolder
from plaingrad.settings import Recipe

if TYPE_CHECKING:
    from plaingrad.report.drawing import Drawing

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Run:
    """A run, finished or not, read from its folder whenever it is asked for something.

    A notebook shows it by itself; `plaingrad.plots` draws it.
    """

    folder: RunFolder

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder.path

    @property
    def recipe(self) -> Recipe:
        """What was trained, and how, with every field written out."""
        return self.folder.recipe()

    @property
    def history(self) -> History:
        """What has been recorded so far."""
        return self.folder.history()

    @property
    def network(self) -> Network:
        """The network with its best weights so far.  Raises RunError if there is no checkpoint."""
        return self.folder.load()[0]

    @property
    def predictions(self) -> dict[str, Predictions]:
        """What that network says of the "validation" and of the "test" samples; empty before the end."""
        return self.folder.predictions()

    def __repr__(self) -> str:
        try:
            told = headline(self.history, {}, "samples")[0]
        except PlaingradError as error:
            told = str(error)
        return f"<Run {self.path}: {told}>"

    def _repr_html_(self) -> str:
        """A sentence, a small table and the accuracy; of what cannot be read, why."""
        try:
            recipe, history = self.recipe, self.history
        except PlaingradError as error:
            return f"<p>{escape(str(error))}</p>"
        sentence, doubt = headline(history, {}, "samples")
        left = 'style="text-align: left"'
        rows = "".join(
            f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(value)}</td></tr>"
            for name, value in _rows(self.folder, recipe, history)
        )
        picture = ""
        if history.records:
            # On a light ground, which it is drawn for, whatever the notebook's colours are.
            svg = _accuracy(self.folder, history).svg
            picture = (
                f'<div style="max-width: 34em; padding: 0.5em; background: white; color: black">{svg}</div>'
            )
        return f"<p>{escape(f'{sentence} {doubt}'.strip())}</p><table>{rows}</table>{picture}"


def open_run(path: str | Path) -> Run:
    """The run in a folder, to look at, draw and go on with.  Raises RunError if the folder is not a run."""
    return Run(RunFolder.open(path))


def _rows(folder: RunFolder, recipe: Recipe, history: History) -> list[tuple[str, str]]:
    """What the table says, each line with its name."""
    result, last = history.result or {}, history.records[-1] if history.records else None
    measured = [own.val_accuracy for own in history.records if own.val_accuracy is not None]
    tested = result.get("test_accuracy")
    return [
        ("folder", str(folder.path)),
        ("recipe", recipe.name),
        *([("test accuracy", percent(tested))] if isinstance(tested, int | float) else []),
        *([("best validation accuracy", percent(max(measured)))] if measured else []),
        *([("last training accuracy", percent(last.train_accuracy))] if last else []),
        ("trained", _trained(history)),
    ]


def _trained(history: History) -> str:
    if not history.records:
        return counted(len(history.losses), "steps")
    last = history.records[-1]
    return f"{counted(last.epoch, 'epochs')}, {counted(last.step, 'steps')}, {duration(last.seconds)}"


def _accuracy(folder: RunFolder, history: History) -> Drawing:
    from plaingrad.plots.curves import accuracy  # matplotlib takes a second to import
    from plaingrad.report.drawing import drawing

    name = f"run-{next(_numbers)}"  # a notebook may show several runs, and the same run twice
    return drawing(
        accuracy(history), name, "Training and validation accuracy", f"Of the run {folder.path.name}."
    )
