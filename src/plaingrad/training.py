"""From a recipe to a trained, tested and reported network in a run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad import machine, predictions, report
from plaingrad.callbacks import Callback
from plaingrad.checkpoint import Checkpoint
from plaingrad.data import Dataset, Split
from plaingrad.errors import Interrupted, NonFiniteError, RunError
from plaingrad.insight.doctor import Doctor, Watch
from plaingrad.insight.doctor.notes import Note, from_line, to_line
from plaingrad.predictions import PARTS, Collector
from plaingrad.recorder import Recorder
from plaingrad.report.notebook import Run
from plaingrad.run_folder import RunFolder, Warn, silent
from plaingrad.settings import Recipe
from plaingrad.solver import Solver

Tell = Callable[[str], Any]


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Accuracies are fractions, None where there were no such samples; `seconds` is training time,
    `peak_memory_mb` the largest resident memory of the process.  `checkpoint` and `report` are files,
    None if they could not be written.
    """

    run: str
    best_val_accuracy: float | None
    test_accuracy: float | None
    seconds: float
    peak_memory_mb: float | None
    epochs: float
    steps: int
    stopped_early: bool
    checkpoint: str | None
    report: str | None

    @property
    def whole(self) -> bool:
        """Whether the run folder holds all it should: the last checkpoint and the report."""
        return bool(self.report and self.checkpoint and Path(self.run) in Path(self.checkpoint).parents)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """The run, as a notebook shows it."""
        return Run(RunFolder(Path(self.run)))._repr_html_()


def train(
    recipe: Recipe,
    out: str | Path | None = None,
    *,
    callbacks: Iterable[Callback] = (),
    warn: Warn = silent,
    watch: bool = True,
    tell: Tell | None = None,
    data: Dataset | None = None,
    test: bool = True,
) -> Result:
    """Train as the recipe says in a new run folder (`out`, or one under runs/), then test and report.

    `warn` hears sentences about what went wrong without ending the run.  With `watch`, the folder records
    what `diagnose` needs, which changes no result, and `tell`, if given, hears the doctor's sentences while
    the run goes on.  `data` is what `recipe.data.build()` gives, where that has been read already.  Without
    `test` the test set stays closed and no report is written, as befits one run of many.  Raises
    NonFiniteError if the loss stops being a number, and Interrupted if a signal came; both leave a
    checkpoint.
    """
    data = recipe.data.build() if data is None else data
    solver = solver_of(recipe, data, callbacks)  # before the folder: it may not fit the data
    folder = RunFolder.new(out, recipe.name)
    recorder = _record(solver, recipe, folder, warn)
    if watch:
        _watch(solver, recorder, tell, test)
    facts = {**machine.facts(), "data_sha256": data.sha256}
    folder.write_recipe(recipe.model_copy(update={"data": recipe.data.absolute()}).to_toml(run=facts))
    return _finish(solver, recorder, test)


def resume(
    path: str | Path,
    *,
    callbacks: Iterable[Callback] = (),
    warn: Warn = silent,
    watch: bool = True,
    tell: Tell | None = None,
    data: Dataset | None = None,
    test: bool = True,
) -> Result:
    """Continue a run from its newest whole checkpoint, to the same bytes as without the interruption.

    The other arguments are as in `train`.  Raises RunError if the folder is not a run, or the data is not what
    the run was trained on.
    """
    folder = RunFolder.open(path)
    recipe, saved = folder.recipe(), folder.newest_checkpoint(warn)
    data = recipe.data.build() if data is None else data
    expected = folder.facts().get("data_sha256")
    if expected and expected != data.sha256:
        raise RunError(
            f"{path} was trained on other data than {recipe.data.name} holds now (the digests differ): "
            "restore the data, or start a new run"
        )
    solver = solver_of(recipe, data, callbacks)
    recorder = _record(solver, recipe, folder, warn)
    seen = _continue(solver, recorder, saved)
    if watch:
        _watch(solver, recorder, tell, test).notes += seen
    return _finish(solver, recorder, test)


def solver_of(recipe: Recipe, data: Dataset, callbacks: Iterable[Callback] = ()) -> Solver:
    """The solver of a recipe on its data, before the first step."""
    settings = recipe.training
    return Solver(
        recipe.build(data.input_shape, len(data.classes)),
        data,
        rule=recipe.rule(),
        schedule=recipe.learning_rate_schedule(),
        epochs=settings.epochs,
        iterations=settings.iterations,
        batch_size=settings.batch_size,
        sampling=settings.sampling,
        seed=recipe.seed,
        augmentation=recipe.augmentation.build(recipe.seed),
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        lr_factors=settings.lr_factors,
        ema=settings.ema,
        patience=settings.patience,
        train_samples=settings.train_samples,
        callbacks=callbacks,
    )


def _record(solver: Solver, recipe: Recipe, folder: RunFolder, warn: Warn) -> Recorder:
    """The solver's first callback from now on, which writes everything down in the folder."""
    data = solver.data
    normalization = data.train.normalization.state() if data.train.normalization else {}
    recorder = Recorder(
        folder,
        arrays={f"normalization/{name}": array for name, array in normalization.items()},
        values={
            "classes": list(data.classes),
            "input_shape": list(data.input_shape),
            "recipe": recipe.digest,
        },
        every=recipe.training.checkpoint_seconds,
        warn=warn,
    )
    solver.callbacks.insert(0, recorder)
    return recorder


def _watch(solver: Solver, recorder: Recorder, tell: Tell | None, data: bool) -> Watch:
    """The solver's first callback from now on: what it notes of an evaluation is written with that.

    data: whether it notes facts of the data, for a report.
    """

    def write(note: Note) -> None:
        kind, values = to_line(note)
        recorder.writer.append(kind, **values)

    watch = Watch(write=write, data=data) if tell is None else Doctor(tell, write=write, data=data)
    solver.callbacks.insert(0, watch)
    return watch


def _continue(solver: Solver, recorder: Recorder, saved: Checkpoint) -> list[Note]:
    """Put the solver where it was when the checkpoint was saved; returns what a watch had noted by then."""
    folder = recorder.folder
    if saved.values.get("recipe") != recorder.values["recipe"]:
        raise RunError(
            f"{folder.recipe_file} was changed since {saved.path.name} was saved: a run goes on as it began; undo "
            f"the change, or start a new run with plaingrad train {folder.recipe_file}"
        )
    past = folder.history().up_to(saved.values["step"])
    try:
        solver.load_state_dict(saved.arrays, saved.values, past.losses, past.records)
        seen = [from_line(line) for line in past.seen]
    except (KeyError, ValueError) as error:
        raise RunError(f"{saved.path} does not belong to {folder.recipe_file}: {error}") from None
    recorder.saved = saved.path
    recorder.writer.append("resume", step=solver.step)
    return seen


def _finish(solver: Solver, recorder: Recorder, test: bool) -> Result:
    """Train to the end, then test and report if wanted.  A signal waits for a moment when it loses nothing."""
    with solver.interruption:
        try:
            solver.train()
        except Interrupted as interrupt:
            if recorder.save_somewhere(solver):
                go_on = f"a checkpoint is saved, go on with: {recorder.folder.resume_command}"
            else:
                go_on = (
                    f"the newest checkpoint is {recorder.saved}"
                    if recorder.saved
                    else "no checkpoint is saved"
                )
            raise Interrupted(f"{interrupt}; {go_on}", interrupt.signal) from None
        except NonFiniteError as error:
            last = (
                f"the last good checkpoint is {recorder.saved}"
                if recorder.saved
                else "no checkpoint was due before"
            )
            if test:  # what the report says of such a run is wanted most; but it is the error that counts
                with suppress(Exception):
                    if _write_report(recorder):
                        last += f", and {recorder.folder.report_file} shows what happened"
            raise NonFiniteError(f"{error}; {last}") from None
        finally:
            recorder.flush(solver)
        return _conclude(solver, recorder, test)


def _conclude(solver: Solver, recorder: Recorder, test: bool) -> Result:
    folder, data = recorder.folder, solver.data
    parts = [part for part in PARTS if test and len(data.splits[part])]
    collectors = {part: Collector() for part in parts}
    accuracy = {part: _accuracy(solver, data.splits[part], collectors[part]) for part in parts}
    result = Result(
        run=str(folder.path),
        best_val_accuracy=solver.best_accuracy if data.validation else None,
        test_accuracy=accuracy.get("test"),
        seconds=round(solver.seconds, 3),
        peak_memory_mb=machine.peak_memory_mb(),
        epochs=solver.epoch,
        steps=solver.step,
        stopped_early=solver.stopped_early,
        checkpoint=str(recorder.saved) if recorder.saved else None,
        report=str(folder.report_file) if test else None,
    )
    recorder.flush(solver)  # so that the end is the last line
    recorder.writer.append("end", **result.to_dict())
    recorder.flush(solver)
    if not test:
        return result
    _write_predictions(solver, recorder, collectors)
    return result if _write_report(recorder) else replace(result, report=None)


def _accuracy(solver: Solver, split: Split, collector: Collector) -> float:
    """The accuracy of the best weights on a split; the collector hears the scores that make it up."""
    solver.callbacks.append(collector)
    with np.errstate(all="ignore"), solver.stopwatch:
        accuracy = solver.accuracy(split)
    solver.callbacks.remove(collector)
    return accuracy


def _write_predictions(solver: Solver, recorder: Recorder, collectors: dict[str, Collector]) -> None:
    file, data, objective = (
        recorder.folder.predictions_file,
        solver.data,
        getattr(solver.model, "objective", None),
    )
    said = {
        part: own
        for part, collector in collectors.items()
        if (own := collector.predictions(part, data.splits[part], data.classes, objective, solver.step))
    }
    try:
        predictions.save(file, said)
    except OSError as error:
        recorder.warn(f"could not write {file}: {error.strerror or error}; the report shows no samples")


def _write_report(recorder: Recorder) -> bool:
    file = recorder.folder.report_file
    try:
        report.write(recorder.folder.path)
    except OSError as error:
        recorder.warn(f"could not write {file}: {error.strerror or error}")
        return False
    except Exception as error:  # a defect of the page must not cost a run its result
        recorder.warn(f"could not write {file}: {type(error).__name__}: {error}; please report this")
        return False
    return True
