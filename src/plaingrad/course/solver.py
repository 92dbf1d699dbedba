"""`solver`: the course's Solver, a face of `plaingrad.solver.Solver`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad import checkpoint
from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.course import optim
from plaingrad.course.loop import CourseLoop, dataset
from plaingrad.data import Dataset, Split
from plaingrad.errors import DataError, RecipeError, suggestion
from plaingrad.optimizer import require_gradients
from plaingrad.solver import Model

__all__ = ["Solver"]

Array = np.ndarray
Config = dict[str, Any]
UpdateRule = Callable[[Array, Array, Config], tuple[Array, Config]]


class Solver:
    """Trains anything with `params` and `loss` on a dict of X_train, y_train, X_val and y_val.

    update_rule: the name of a rule in `optim`, or a function `rule(w, dw, config) -> next_w, config`.
    optim_config: what each parameter's own config starts as.  lr_decay: the factor on every config's
    learning_rate after an epoch.  num_train_samples, num_val_samples: how many samples, drawn anew each
    time, measure an accuracy; None for all.  checkpoint_name: if given, every evaluation writes
    `<checkpoint_name>_epoch_<n>.safetensors`.  print_every: iterations between printed losses.

    Accuracy is measured after the first iteration, after each epoch and after the last iteration.
    `train` may be called again to go on; in the end the model has the parameters with the best
    validation accuracy, which are also in `best_params`.
    """

    def __init__(
        self,
        model: Model,
        data: Mapping[str, Array],
        *,
        update_rule: str | UpdateRule = "sgd",
        optim_config: Mapping[str, Any] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_train_samples: int | None = 1000,
        num_val_samples: int | None = None,
        checkpoint_name: str | None = None,
        print_every: int = 10,
        verbose: bool = True,
    ) -> None:
        wanted = ("X_train", "y_train", "X_val", "y_val")
        if missing := [key for key in wanted if key not in data or not len(data[key])]:
            raise DataError(
                f"the Solver's data needs {', '.join(wanted)}; missing or empty: {', '.join(missing)}"
            )
        counts = {"batch_size": batch_size, "print_every": print_every}
        counts |= {"num_train_samples": num_train_samples, "num_val_samples": num_val_samples}
        for name, count in counts.items():
            if count is not None and count < 1:
                raise RecipeError(f"{name} must be at least 1, got {count}")
        self.model = model
        self.X_train, self.y_train, self.X_val, self.y_val = (data[key] for key in wanted)
        self.update_rule = _rule(update_rule)
        self.optim_config = dict(optim_config or {})
        self.lr_decay, self.batch_size, self.num_epochs = lr_decay, batch_size, num_epochs
        self.num_train_samples, self.num_val_samples = num_train_samples, num_val_samples
        self.checkpoint_name, self.print_every, self.verbose = checkpoint_name, print_every, verbose
        self._data = dataset(self.X_train, self.y_train, self.X_val, self.y_val)
        self._reset()

    def _reset(self) -> None:
        """Forget all training; the model stays as it is."""
        self.epoch = 0
        self.best_val_acc = 0.0
        self.best_params: dict[str, Array] = {}
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.optim_configs = {name: dict(self.optim_config) for name in self.model.params}
        self._loop = _Loop(self, self._data)
        self.loss_history = self._loop.loss_history

    def train(self) -> None:
        """Train for `num_epochs` epochs, and put the best parameters into the model."""
        self._loop.go_on()

    def check_accuracy(
        self, X: Array, y: Array, num_samples: int | None = None, batch_size: int = 100
    ) -> float:
        """The fraction of samples classified right, among `num_samples` random ones if there are more."""
        split = Split(np.asarray(X), np.asarray(y))
        return self._loop.accuracy(split, _sample(len(split), num_samples), batch_size=batch_size)

    def _save_checkpoint(self) -> None:
        path = Path(f"{self.checkpoint_name}_epoch_{self.epoch}.safetensors")
        if self.verbose:
            print(f'Saving checkpoint to "{path}"')
        arrays, values = self._loop.state_dict()
        names = ("lr_decay", "batch_size", "num_train_samples", "num_val_samples", "epoch")
        names += ("loss_history", "train_acc_history", "val_acc_history")
        values |= {name: _plain(getattr(self, name)) for name in names}
        values["update_rule"] = getattr(self.update_rule, "__name__", str(self.update_rule))
        values["optim_configs"] = {
            name: {key: _plain(value) for key, value in config.items() if np.ndim(value) == 0}
            for name, config in self.optim_configs.items()
        }
        checkpoint.save(path, arrays, values)


class _Loop(CourseLoop):
    """plaingrad's loop, evaluating when and on which samples the course does."""

    def __init__(self, course: Solver, data: Dataset) -> None:
        super().__init__(course.model, data, batch_size=course.batch_size, callback=_Watcher(course))
        self.course = course
        self.start = 0  # the step at which the newest call of train began
        self.optimizer: Any = _Updates(course)

    def go_on(self) -> None:
        """Train for the course's `num_epochs` more."""
        self.batch_size = self.course.batch_size
        self.steps_per_epoch = max(len(self.data.train) // self.batch_size, 1)
        self.start = self.step
        self.total_steps = self.start + self.course.num_epochs * self.steps_per_epoch
        self.train()

    @property
    def epoch_ends(self) -> bool:
        """Whether the step just taken was an epoch's last."""
        return (self.step - self.start) % self.steps_per_epoch == 0

    @property
    def learning_rate(self) -> float:
        """That of the first parameter; each has its own."""
        return next(
            (c["learning_rate"] for c in self.course.optim_configs.values() if "learning_rate" in c), 0.0
        )

    def evaluation_due(self) -> bool:
        """After the first step, the last, and each epoch."""
        return self.step - self.start == 1 or self.epoch_ends or self.step == self.total_steps

    def training_subset(self) -> Array:
        """Drawn anew each time."""
        return _sample(len(self.data.train), self.course.num_train_samples)

    def accuracy(self, split: Split, indices: Array | None = None, *, batch_size: int = 100) -> float:
        """On a new draw of the validation samples unless told which."""
        if indices is None:
            indices = _sample(len(split), self.course.num_val_samples)
        return super().accuracy(split, indices, batch_size=batch_size)


class _Updates:
    """Stands where the loop has an Optimizer: calls the course's rule, parameter by parameter."""

    def __init__(self, course: Solver) -> None:
        self.course = course
        self.t = 0

    def step(self, params: MutableMapping[str, Array], grads: Mapping[str, Array], lr: float) -> None:
        require_gradients(params, grads)
        self.t += 1
        configs = self.course.optim_configs
        for name in list(params):
            params[name], configs[name] = self.course.update_rule(params[name], grads[name], configs[name])

    def state_dict(self) -> dict[str, Array]:
        return {
            f"{name}/{key}": value
            for name, config in self.course.optim_configs.items()
            for key, value in config.items()
            if isinstance(value, np.ndarray)
        }


class _Watcher(Callback):
    """Keeps the course's books and prints its lines."""

    def __init__(self, course: Solver) -> None:
        self.course = course

    def on_step(self, solver: Any, loss: float) -> None:
        """Print the loss; at the end of an epoch, decay the learning rates."""
        course, t = self.course, solver.step - solver.start - 1
        if course.verbose and t % course.print_every == 0:
            print(f"(Iteration {t + 1} / {solver.total_steps - solver.start}) loss: {loss:f}")
        if solver.epoch_ends:
            course.epoch += 1
            for config in course.optim_configs.values() if course.lr_decay != 1 else ():
                if "learning_rate" not in config:
                    raise RecipeError(f"lr_decay needs a learning_rate in optim_config, got {sorted(config)}")
                config["learning_rate"] *= course.lr_decay

    def on_epoch(self, solver: Any, record: EpochRecord) -> None:
        """Record the accuracies, write the checkpoint, remember the best."""
        course, train, val = self.course, record.train_accuracy, record.val_accuracy or 0.0
        course.train_acc_history.append(train)
        course.val_acc_history.append(val)
        if course.checkpoint_name is not None:
            course._save_checkpoint()
        if course.verbose:
            print(f"(Epoch {course.epoch} / {course.num_epochs}) train acc: {train:f}; val_acc: {val:f}")
        if solver.best_accuracy > course.best_val_acc:
            course.best_val_acc, course.best_params = solver.best_accuracy, solver.best["params"]


def _rule(update_rule: str | UpdateRule) -> UpdateRule:
    if callable(update_rule):
        return update_rule
    rule = None if update_rule.startswith("_") else getattr(optim, update_rule, None)
    if not inspect.isfunction(rule):
        raise RecipeError(
            f"there is no update rule {update_rule!r}; {suggestion(update_rule, optim.__all__)}"
        )
    return rule


def _plain(value: Any) -> Any:
    """A value that JSON can hold: NumPy's scalars as Python's, what is no number or string as text."""
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (bool, int, float, str, list, type(None))) else str(value)


def _sample(count: int, wanted: int | None) -> Array:
    """All indices, or `wanted` random ones if there are more, as the course draws them: with repetition."""
    return np.arange(count) if wanted is None or count <= wanted else np.random.choice(count, wanted)
