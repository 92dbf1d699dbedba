"""What is drawn of how a run went, whatever the run is given as."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plaingrad.callbacks import EpochRecord
from plaingrad.errors import RunError
from plaingrad.history import History
from plaingrad.plots.thinning import thinned
from plaingrad.run_folder import RunFolder
from plaingrad.settings import Recipe
from plaingrad.solver import Solver

Array = np.ndarray
_LARGEST = 1e100  # float32 ends at 3e38
Rate = Callable[[int], float]  # the learning rate of the update that follows so many others


@dataclass(frozen=True, eq=False)
class Progress:
    """How a run went, over its steps.

    losses: of each step, float64, NaN where one is not finite.  records: the evaluations.  train_loss,
    val_loss: steps and losses of the evaluations that measured them.  steps_per_epoch: None where it is not
    known.  rate: the learning rate of any step, None if it is known at the evaluations only.  broke_off: the
    step from which on values were not finite, if that ended the run.
    """

    losses: Array
    records: Sequence[EpochRecord]
    train_loss: tuple[Array, Array]
    val_loss: tuple[Array, Array]
    steps_per_epoch: float | None
    rate: Rate | None = None
    broke_off: int | None = None

    @classmethod
    def of(cls, run: Any, rate: Rate | None = None) -> Progress:
        """Of a run (its folder, a path, what `open_run` or `train` returned), a History, a Solver, or a Progress.

        `rate` is the learning rate of any step, for a History, which does not know it.  Raises RunError for
        anything else, and for a folder that is not a run.
        """
        if isinstance(run, Progress):
            return run
        if isinstance(run, Solver):
            return cls.of(History(list(run.loss_history), list(run.records)), run.learning_rate_at)
        if isinstance(run, History):
            return _of_history(run, rate)
        folder = run_folder(run)
        history = folder.history()
        return _of_history(history, rate or planned_rate(folder.recipe(), history))

    @property
    def unit(self) -> str:
        """What the steps are counted in: "epoch", or "step" where nobody knows how long an epoch is."""
        return "epoch" if self.steps_per_epoch else "step"

    @property
    def steps(self) -> int:
        """How many are known of."""
        return max(len(self.losses), self.records[-1].step if self.records else 0)

    @property
    def best(self) -> EpochRecord | None:
        """The evaluation with the highest validation accuracy, the first of several."""
        accuracies = finite([own.val_accuracy for own in self.records])
        return self.records[int(np.nanargmax(accuracies))] if np.isfinite(accuracies).any() else None

    def rates(self, most: int = 400) -> tuple[Array, Array]:
        """At most so many steps and their learning rates, NaN where one is not finite; (0,) if none is known."""
        if self.rate and self.steps:
            done = np.unique(np.linspace(0, self.steps - 1, most).round().astype(np.int64))
            steps, rates = done + 1, [self.rate(int(own)) for own in done]  # after n others comes step n + 1
        else:
            steps, rates = [own.step for own in self.records], [own.lr for own in self.records]
        steps, rates = np.asarray(steps, dtype=np.float64), finite(rates)
        kept = thinned(rates, most) if np.isfinite(rates).any() else np.arange(0)
        return steps[kept], rates[kept]

    def at(self, steps: Any) -> Array:
        """Steps in this unit."""
        return np.asarray(steps, dtype=np.float64) / (self.steps_per_epoch or 1)


def finite(values: Any) -> Array:
    """Numbers as float64 (N,), with NaN, which is a gap in a curve, for what no axis has room for."""
    values = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    values[~(np.abs(values) < _LARGEST)] = np.nan
    return values


_FORMS = "a run is given as its folder, the result of a training, a history or a solver, not as"


def run_folder(run: Any, wanted: str = _FORMS) -> RunFolder:
    """The folder of a run given as a folder, a path, an opened run or a training's Result.

    Raises RunError for anything else, which says what is `wanted`.
    """
    folder = getattr(run, "folder", run)
    if isinstance(folder, RunFolder):
        return folder
    path = getattr(run, "run", run)
    if not isinstance(path, str | os.PathLike):
        raise RunError(f"{wanted} {run!r:.80}")
    return RunFolder.open(os.fspath(path))


def planned_rate(recipe: Recipe, history: History) -> Rate | None:
    """The learning rate of any step of a recipe's run; None where its history does not tell how long an epoch is."""
    per_epoch = steps_per_epoch(history)
    total = next((line.get("total_steps") for line in history.seen if line["type"] == "setup"), None)
    if not per_epoch or type(total) is not int or total < 1:
        return None
    rule, schedule = recipe.rule(), recipe.learning_rate_schedule()

    def rate(step: int) -> float:
        try:
            return rule.lr * schedule(step / per_epoch, total / per_epoch)
        except ArithmeticError:  # of numbers that no run has, in a file that anybody may have written
            return math.nan

    return rate


def _of_history(history: History, rate: Rate | None) -> Progress:
    return Progress(
        losses=finite(history.losses),
        records=history.records,
        train_loss=_measured(history, "train_loss"),
        val_loss=_measured(history, "val_loss"),
        steps_per_epoch=steps_per_epoch(history),
        rate=rate,
        broke_off=next((line["step"] for line in history.seen if line["type"] == "non_finite"), None),
    )


def steps_per_epoch(history: History) -> float | None:
    """How many steps an epoch has: as it was set, else by the last evaluation; None if neither is known."""
    told = next((line.get("steps_per_epoch") for line in history.seen if line["type"] == "setup"), None)
    if type(told) is int and told > 0:
        return told
    last = next((own for own in reversed(history.records) if own.epoch > 0 and own.step > 0), None)
    return last.step / last.epoch if last else None


def _measured(history: History, name: str) -> tuple[Array, Array]:
    """The steps and values of what evaluations measured; of a step measured twice the last counts."""
    lines = [line for line in history.seen if line["type"] == "measured"]
    found = {line["step"]: line[name] for line in lines if type(line.get(name)) in (int, float)}
    return np.array(sorted(found), dtype=np.float64), finite([found[step] for step in sorted(found)])
