"""The training loop, for any model that has `params` and `loss`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from plaingrad.accumulation import first_non_finite, loss_and_gradients
from plaingrad.averaging import MovingAverage, copy_of, named, parted, parts_of, put
from plaingrad.batches import Batches
from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.data import Augmentation, Dataset, Split, as_dataset
from plaingrad.errors import NonFiniteError, RecipeError, require_count, require_kind, require_number
from plaingrad.interruption import Interruption
from plaingrad.machine import processors
from plaingrad.model import Model, predict
from plaingrad.network import Network
from plaingrad.optim import SGD, Rule
from plaingrad.optimizer import Optimizer, clip_by_global_norm
from plaingrad.sampling import Sampler, sampler_of
from plaingrad.schedules import Constant, Schedule
from plaingrad.stopwatch import Stopwatch

Array = np.ndarray


class Solver:
    """Minimises a model's loss on a data set by minibatch steps.

    model: anything with `params` and `loss` (see Model).
    data: a Dataset, or a dict with X_train, y_train and, if there are any, X_val and y_val.
    rule: an update rule of `plaingrad.optim`; its `lr` times `schedule(epoch, epochs)` is the step size.
    epochs, iterations: how long; `iterations`, a number of steps, wins if given.
    batch_size: samples per step; an epoch is ⌊N / batch_size⌋ steps, at least one.
    sampling: "shuffle" (each epoch a new order), "replacement" (every batch drawn anew), or a function
        from the step to indices.  The first two are functions of `seed` and position alone.
    augmentation: changes the images that train; those that measure stay as they are.
    accumulate: so many micro-batches make up a batch.  Their gradients are averaged before the update, in
        the memory of one of them; the result is the whole batch's, but for batch normalisation, which sees
        each by itself, and dropout.  The model's `step` then counts micro-batches.
    clip_norm: the largest global norm of the gradient; larger ones are scaled down.
    lr_factors: factors on the learning rate of single layers or parameters, such as {"conv*": 0.1}; 0
        freezes, and of several that fit a parameter the last decides.  See `plaingrad.optimizer`.
    ema: the decay of an exponential moving average of the parameters, such as 0.999.  The averages are
        what is evaluated, kept as the best and left in the model at the end; training goes on with, and
        callbacks see, the newest parameters.  See `plaingrad.averaging`.
    patience: stop after this many evaluations without a better validation accuracy.
    train_samples: how many training samples (the same ones each time) measure the training accuracy.
    callbacks: see `plaingrad.callbacks`.

    Ctrl-C (SIGINT) or SIGTERM ends training after the current step: `train` raises Interrupted, a
    KeyboardInterrupt, with everything consistent, so that `state_dict` continues exactly.  A second
    signal, more than a second later, interrupts at once.

    After `train`, the model holds the parameters with the best validation accuracy, or without validation
    data the last.
    """

    def __init__(
        self,
        model: Model,
        data: Dataset | Mapping[str, Any],
        *,
        rule: Rule | None = None,
        schedule: Schedule | None = None,
        epochs: float = 10,
        iterations: int | None = None,
        batch_size: int = 100,
        sampling: str | Sampler = "shuffle",
        seed: int = 0,
        augmentation: Augmentation | None = None,
        accumulate: int = 1,
        clip_norm: float | None = None,
        lr_factors: Mapping[str, float] | None = None,
        ema: float | None = None,
        patience: int | None = None,
        train_samples: int = 1000,
        callbacks: Iterable[Callback] = (),
    ) -> None:
        self.rule = SGD() if rule is None else rule
        self.schedule = Constant() if schedule is None else schedule
        require_kind("rule", self.rule, Rule, "such as plaingrad.SGD(1e-2)")
        require_kind("schedule", self.schedule, Callable, "such as plaingrad.Cosine()")
        require_number("epochs", epochs, lambda n: 0 < n < math.inf, "above 0")
        require_count("batch_size", batch_size, 1)
        require_count("accumulate", accumulate, 1)
        require_count("train_samples", train_samples, 1)
        require_count("seed", seed, 0)
        if iterations is not None:
            require_count("iterations", iterations, 0)
        if patience is not None:
            require_count("patience", patience, 1)
        if clip_norm is not None:
            require_number("clip_norm", clip_norm, lambda n: n > 0, "above 0")
        if ema is not None:
            require_number("ema", ema, lambda d: 0 <= d < 1, "from 0 to below 1")
        if lr_factors is not None:
            require_kind("lr_factors", lr_factors, Mapping, 'such as {"affine1": 0.1}')
        if augmentation is not None:
            require_kind("augmentation", augmentation, Augmentation, "such as Augmentation(Flip())")
        self.model, self.data = model, as_dataset(data)
        self.batch_size, self.accumulate, self.seed = batch_size, accumulate, seed
        self.clip_norm, self.patience, self.train_samples = clip_norm, patience, train_samples
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            require_kind("a callback", callback, Callback, "derived from plaingrad.Callback")
        count = len(self.data.train)
        self.steps_per_epoch = max(count // batch_size, 1)
        self.total_steps = max(1, round(epochs * self.steps_per_epoch)) if iterations is None else iterations
        self.sampler = sampler_of(sampling, count, min(batch_size, count), seed)
        self.augmentation = augmentation
        if augmentation is not None:  # images that it does not fit are better met now
            augmentation(self.data.train.images[:1], indices=np.arange(1), epoch=0, step=0)
        processors()  # and so is a PLAINGRAD_NUM_THREADS that is no number
        self.optimizer = Optimizer(self.rule, model.params, lr_factors)
        self.average = None if ema is None else MovingAverage(model, ema)
        self.step = 0
        self.seconds = 0.0
        self.stopwatch = Stopwatch()
        self.loss_history: list[float] = []
        self.records: list[EpochRecord] = []
        self.best_accuracy = -math.inf
        self.best = copy_of(parts_of(model))
        self._evaluations_since_best = 0
        self.interruption = Interruption()

    @property
    def epoch(self) -> float:
        """How many epochs are done, with the fraction of the current one."""
        return self.step / self.steps_per_epoch

    @property
    def learning_rate(self) -> float:
        """The step size of the next update."""
        return self.learning_rate_at(self.step)

    def learning_rate_at(self, step: int) -> float:
        """The step size of the update that follows `step` others."""
        return self.rule.lr * self.schedule(
            step / self.steps_per_epoch, self.total_steps / self.steps_per_epoch
        )

    @property
    def stopped_early(self) -> bool:
        """Whether patience ran out before the last step."""
        ran_out = self.patience is not None and self._evaluations_since_best >= self.patience
        return ran_out and self.step < self.total_steps

    def train(self) -> list[EpochRecord]:
        """Train until the last step, or until patience runs out; returns the records of all evaluations.

        Raises NonFiniteError if the loss stops being a number, Interrupted if a signal came.
        """
        with self.stopwatch:
            self._tell("on_start")
            batches = Batches(self.data.train, self.sampler, self.steps_per_epoch, self.augmentation)
            # Overflow is not warned about but looked for: a loss that is not finite stops the run.
            with np.errstate(all="ignore"), self.interruption, batches:
                while self.step < self.total_steps and not self.stopped_early:
                    started = time.perf_counter()
                    self._take_step(batches)
                    if self.evaluation_due():
                        self._evaluate(started)
                    else:
                        self.seconds += time.perf_counter() - started
                    self.interruption.check(f"after step {self.step}")
            self._tell("on_end")
        self.restore_best()
        return self.records

    def evaluation_due(self) -> bool:
        """Whether to evaluate now: at the end of an epoch and after the last step."""
        return self.step % self.steps_per_epoch == 0 or self.step == self.total_steps

    def on_non_finite(self, problem: str) -> None:
        """What to do when the loss or the weights are no longer finite: raise NonFiniteError."""
        raise NonFiniteError(problem)

    def not_finite(self) -> str | None:
        """The name of the first array of the model that holds NaN or infinity, or None."""
        arrays = [named for held in parts_of(self.model).values() for named in held.items()]
        return next((name for name, array in arrays if not np.isfinite(array).all()), None)

    def accuracy(self, split: Split, indices: Array | None = None, *, batch_size: int = 500) -> float:
        """The fraction of samples (those at `indices`, or all) whose highest score is at their label."""
        indices = np.arange(len(split)) if indices is None else indices
        correct = 0
        for start in range(0, len(indices), batch_size):
            X, y = split.batch(indices[start : start + batch_size])
            predicted, scores = self._predicted(X)
            correct += int((predicted == y).sum())
            if scores is not None:
                self.stopwatch.lap("evaluation")
                self._tell("on_scores", split, scores, y)
        return correct / len(indices)

    def restore_best(self) -> None:
        """Put the best parameters seen (by validation accuracy; else the newest) into the model."""
        if self.records:
            put(parts_of(self.model), self.best)

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Everything needed to continue exactly: arrays, and plain values that JSON can hold."""
        parts = {**copy_of(parts_of(self.model)), "optimizer": self.optimizer.state_dict()}
        parts |= {f"best-{name}": values for name, values in self.best.items()}
        if self.average:
            parts |= {f"average-{name}": values for name, values in copy_of(self.average.parts).items()}
        return named(parts), {
            "step": self.step,
            "updates": self.optimizer.t,
            "seconds": self.seconds,
            "best_accuracy": self.best_accuracy if self.records else None,
            "evaluations_since_best": self._evaluations_since_best,
        }

    def load_state_dict(
        self,
        arrays: Mapping[str, Array],
        values: Mapping[str, Any],
        loss_history: list[float] | None = None,
        records: list[EpochRecord] | None = None,
    ) -> None:
        """Continue from what `state_dict` gave, with the histories up to that step."""
        parts = parted(arrays)
        kinds = ("", "best-", "average-") if self.average else ("", "best-")
        wanted = {f"{kind}{name}" for kind in kinds for name in self.best}
        if wanted != {part for part in parts if part.endswith(("params", "state"))}:
            raise RecipeError(
                f"what was saved holds {', '.join(sorted(parts))}, but this solver needs "
                f"{', '.join(sorted(wanted))}: go on with the model and the settings it was saved with"
            )
        put(parts_of(self.model), parts)
        self.best = copy_of({name: parts[f"best-{name}"] for name in self.best})
        if self.average:
            put(self.average.parts, {name: parts[f"average-{name}"] for name in self.best})
        self.optimizer.load_state_dict(parts.get("optimizer", {}), values["updates"])
        self.step, self.seconds = values["step"], values["seconds"]
        self.loss_history, self.records = list(loss_history or []), list(records or [])
        best = values["best_accuracy"]
        self.best_accuracy = -math.inf if best is None else best
        self._evaluations_since_best = values["evaluations_since_best"]

    def _take_step(self, batches: Batches) -> None:
        X, y = batches(self.step)
        self.stopwatch.lap("batches")
        loss, grads = loss_and_gradients(self.model, X, y, step=self.step, count=self.accumulate)
        if not math.isfinite(loss):
            self._complain_of(loss, X, y)
        self.stopwatch.lap("forward and backward")
        if self.clip_norm is not None:
            grads = clip_by_global_norm(grads, self.clip_norm)
        self.optimizer.step(self.model.params, grads, self.learning_rate)
        self.step += 1
        if self.average:
            self.average.update(self.step)
        self.loss_history.append(loss)
        self.stopwatch.lap("update")
        self._tell("on_step", loss)

    def _evaluate(self, started: float) -> None:
        """Measure, keep the best, and note a record; `started` is when the step before began."""
        lr, infinite = self.learning_rate_at(self.step - 1), self.not_finite()
        if infinite:
            self.stopwatch.lap("evaluation")
            self._tell("on_non_finite", infinite, None, None)
            self.on_non_finite(
                f"{infinite} is not finite after step {self.step} (epoch {self.epoch:.2f}); try a smaller "
                f"learning rate (now {lr:.3g})"
            )
        with self.average.in_model() if self.average else nullcontext():
            train = self.accuracy(self.data.train, self.training_subset())
            val = self.accuracy(self.data.validation) if self.data.validation else None
            better = (train if val is None else val) > self.best_accuracy
            if better or val is None:
                self.best = copy_of(parts_of(self.model))
        if better:
            self.best_accuracy = train if val is None else val
        self._evaluations_since_best = 0 if better else self._evaluations_since_best + 1
        loss = float(np.mean(self.loss_history[self.records[-1].step if self.records else 0 :]))
        self.seconds += time.perf_counter() - started
        record = EpochRecord(self.epoch, self.step, lr, loss, train, val, round(self.seconds, 4))
        self.records.append(record)
        self.stopwatch.lap("evaluation")
        self._tell("on_epoch", record)

    def training_subset(self) -> Array:
        """The training samples whose accuracy is measured."""
        count = len(self.data.train)
        if count <= self.train_samples:
            return np.arange(count)
        return np.sort(np.random.default_rng((self.seed, 1)).choice(count, self.train_samples, replace=False))

    def _predicted(self, X: Array) -> tuple[Array, Array | None]:
        """The class of each sample (n,), and the scores (n, C) where these are what decides it."""
        own = getattr(self.model, "predict", None)
        if own is None:
            scores = np.asarray(self.model.loss(X))
        elif getattr(own, "__func__", None) is Network.predict:
            scores = own.__self__.scores(X)
        else:
            return predict(self.model, X), None
        return scores.argmax(axis=1), scores

    def _complain_of(self, loss: float, X: Array, y: Array) -> None:
        """Find the first layer whose output is not finite, tell the callbacks, and stop."""
        layer, where = first_non_finite(self.model, X, y, step=self.step, count=self.accumulate)
        diagnose = getattr(getattr(self.model, "objective", None), "diagnose", None)
        advice = (diagnose and diagnose(self.loss_history)) or (
            f"try a smaller learning rate (now {self.learning_rate:.3g})"
        )
        self.stopwatch.lap("forward and backward")
        self._tell("on_non_finite", layer, X, y)
        self.on_non_finite(
            f"the loss is {loss} at step {self.step} (epoch {self.epoch:.2f}): {where}; {advice}"
        )

    def _tell(self, event: str, *args: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *args)
            self.stopwatch.lap(callback.counted_as)
