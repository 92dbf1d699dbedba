"""What is wrong with a run: of a run folder, of evidence, or of another library's histories."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad.callbacks import Callback
from plaingrad.data import Dataset
from plaingrad.errors import (
    DataError,
    NonFiniteError,
    require_count,
    require_number,
    suggestion,
)
from plaingrad.findings import changes, diagnosed, recorded_evidence
from plaingrad.insight.data_facts import data_facts
from plaingrad.insight.doctor import Diagnosis, Evidence, Finding, Watch, from_histories
from plaingrad.insight.doctor import diagnose as diagnose_evidence
from plaingrad.insight.doctor.evidence import Setup
from plaingrad.insight.doctor.notes import Note, gather
from plaingrad.insight.doctor.order import STEPS, Recorded
from plaingrad.recipe import read_recipe
from plaingrad.run_folder import RunFolder, Warn, silent
from plaingrad.settings import Recipe
from plaingrad.solver import Solver
from plaingrad.training import solver_of


def diagnose(
    run: str | Path | Evidence | None = None,
    *,
    data_path: str | None = None,
    warn: Warn = silent,
    **histories: Any,
) -> Diagnosis:
    """What is wrong with a run, in words and with the evidence: `print(diagnose(...))`.

    run: a run folder, or what a Watch has gathered, `watch.evidence()`.
    histories: instead of a run, what is known of one trained with any other library: `losses` of each step;
        `train_loss`, `val_loss`, `train_accuracy`, `val_accuracy` of each epoch; `classes`,
        `steps_per_epoch`, `batch_size`, `lr`.  Anything may be left out; see `insight.doctor.from_histories`.
    data_path: where the run's data lies now, if not where its recipe says.
    warn: hears sentences about evidence that could not be had.

    >>> print(pg.diagnose("runs/digits-20260101-120000"))
    >>> print(pg.diagnose(losses=[2.30, 2.29, 2.28], classes=10))

    Raises RunError for what is no run folder or damaged, DataError for histories that are no lists of
    numbers, do not fit together, or have a name that is not one of these.
    """
    if run is None:
        _require_known(histories)
        return diagnose_evidence(from_histories(**histories))
    if histories:
        raise DataError(f"give a run or histories, not both: {', '.join(histories)} came beside a run")
    if isinstance(run, Evidence):
        return diagnose_evidence(run)
    if not isinstance(run, str | Path):
        raise DataError(
            f"a run is a folder, or evidence, got {type(run).__name__}; give lists by name, such as losses=[...]"
        )
    folder = RunFolder.open(run)
    return diagnosed(folder, evidence_of(folder, data_path, warn))


def _require_known(histories: Iterable[str]) -> None:
    known = inspect.signature(from_histories).parameters
    for name in histories:
        if name not in known:
            raise DataError(f"there is no history or setting {name!r}; {suggestion(name, known)}")


def evidence_of(folder: RunFolder, data_path: str | None = None, warn: Warn = silent) -> Evidence:
    """All that a run folder tells, and its data if it is still there; else what was noted of the data.

    Of a run that nobody watched, what was set, the order of its samples and the network before its first
    step are made again from its recipe and its data.
    """
    known, recipe = recorded_evidence(folder), folder.recipe()
    data = _data(folder, recipe, data_path, silent if known.data and data_path is None else warn)
    if data is None:
        return known
    if known.setup == Setup():
        made = gather(_remade(recipe, data))
        known = replace(known, setup=made.setup, order=made.order, probes=made.probes, looks=made.looks)
    return replace(known, classes=len(data.classes), data=data_facts(data))


def _data(folder: RunFolder, recipe: Recipe, data_path: str | None, warn: Warn) -> Dataset | None:
    settings = recipe.data if data_path is None else recipe.data.model_copy(update={"path": data_path})
    try:
        data = settings.build()
    except DataError as error:
        warn(f"the run's data is not looked at: {error}")
        return None
    if folder.facts().get("data_sha256") not in (None, data.sha256):
        warn("the run's data is not looked at: it is not what the run was trained on (the digests differ)")
        return None
    return data


def _remade(recipe: Recipe, data: Dataset) -> list[Note]:
    """What a watch would have noted before the first step, and of the order: functions of recipe and data."""
    watch, solver = Watch(), solver_of(recipe, data)
    watch.on_start(solver)
    assert isinstance(solver.sampler, Recorded)
    first = range(min(STEPS, solver.steps_per_epoch))
    for step in (*first, *(solver.steps_per_epoch + step for step in first)):
        if step < solver.total_steps:
            solver.sampler(step)
    order = solver.sampler.order(data.train.labels)
    return [*watch.notes, *([Note(0, order)] if order else [])]


@dataclass(frozen=True)
class Outcome:
    """How a short training ended: `loss` is the mean over its last tenth; accuracies are fractions.

    failure: what ended it before its time, None if nothing did; loss and accuracies are then None.
    """

    steps: int
    epochs: float
    seconds: float
    loss: float | None
    train_accuracy: float | None
    val_accuracy: float | None
    failure: str | None = None


@dataclass(frozen=True)
class Trial:
    """A run's own recipe and the changed one, each trained for a short while with the same seed.

    measured: how many samples (validation, else training) the accuracies were measured on.
    """

    finding: Finding
    changes: tuple[str, ...]
    before: Outcome
    after: Outcome
    measured: int

    @property
    def verdict(self) -> str:
        """What this shows, and what it does not: one seed, a short while."""
        if self.before.failure or self.after.failure:
            if self.before.failure and self.after.failure:
                return "Both trainings failed: the change alone does not repair the run."
            which = "without the change" if self.before.failure else "with the change"
            return f"Training failed {which} and not {'with' if self.before.failure else 'without'} it."
        one, other = (_accuracy(own) for own in (self.before, self.after))
        error = math.sqrt(max(one * (1 - one) + other * (1 - other), 1 / self.measured) / self.measured)
        moved = (
            f"{100 * (other - one):+.1f} points of accuracy, where the {self.measured:,} samples alone leave a "
            f"standard error of {100 * error:.1f}"
        )
        if abs(other - one) <= 2 * error:
            return f"No clear difference: {moved}. This is one seed and a short while; it may show later, or never."
        better = "better" if other > one else "worse"
        return f"With the change it is {better}: {moved}. This is one seed and a short while."

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"verdict": self.verdict}


def try_change(
    run: str | Path,
    diagnosis: Diagnosis,
    *,
    steps: int = 500,
    seconds: float = 60.0,
    data_path: str | None = None,
) -> Trial | None:
    """Make the change of the first finding that settings can make, and train with and without it.

    Both start anew, with the run's seed and its own schedule, and stop after `steps` steps of the run's
    recipe, or fewer if these take more than `seconds`; the changed one then sees as many epochs, in at most
    three times `seconds`.  Nothing is written.  None if no finding has a remedy in the recipe.

    Raises RecipeError if the recipe cannot be changed like that, DataError if the data is not there.
    """
    require_count("steps", steps, 1)
    require_number("seconds", seconds, lambda value: 0 < value < math.inf, "above 0 and finite")
    finding = next((own for own in diagnosis.findings if own.remedy), None)
    if finding is None:
        return None
    folder = RunFolder.open(run)
    here = {} if data_path is None else {"data.path": data_path}
    proposed = changes(finding)
    own, changed = (read_recipe(folder.recipe_file, made, here) for made in ((), proposed))
    epochs = steps / _steps_per_epoch(own)
    before, measured = _short(own, epochs, seconds)
    after, _ = _short(changed, epochs if before.failure else before.epochs, 3 * seconds)
    return Trial(finding, proposed, before, after, measured)


class _Stop(Callback):
    """Ends training after so many epochs or seconds, as if that had been the plan but for the schedule."""

    def __init__(self, epochs: float, seconds: float) -> None:
        self.epochs, self.until = epochs, time.monotonic() + seconds

    def on_step(self, solver: Solver, loss: float) -> None:
        """Stop if it is time."""
        if solver.epoch >= self.epochs - 1e-9 or time.monotonic() > self.until:
            solver.total_steps = solver.step


def _short(recipe: Recipe, epochs: float, seconds: float) -> tuple[Outcome, int]:
    """Train a recipe for a while, and on how many samples its accuracy was measured."""
    data = recipe.data.build()
    solver = solver_of(recipe, data, [_Stop(epochs, seconds)])
    failure = None
    try:
        solver.train()
    except NonFiniteError as error:
        failure = str(error)
    last = solver.records[-1] if solver.records and failure is None else None
    tail = solver.loss_history[-max(1, len(solver.loss_history) // 10) :]
    outcome = Outcome(
        steps=solver.step,
        epochs=round(solver.epoch, 4),
        seconds=round(solver.seconds, 3),
        loss=float(np.mean(tail)) if last else None,
        train_accuracy=last.train_accuracy if last else None,
        val_accuracy=last.val_accuracy if last else None,
        failure=failure,
    )
    return outcome, len(data.validation) or len(solver.training_subset())


def _steps_per_epoch(recipe: Recipe) -> int:
    return solver_of(recipe, recipe.data.build()).steps_per_epoch


def _accuracy(outcome: Outcome) -> float:
    value = outcome.train_accuracy if outcome.val_accuracy is None else outcome.val_accuracy
    return 0.0 if value is None else value
