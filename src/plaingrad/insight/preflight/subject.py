"""What a pre-flight looks at: a way to make the solver of the run, and what several lines need of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from plaingrad.accumulation import loss_and_gradients
from plaingrad.data import Dataset
from plaingrad.errors import RecipeError, require_kind
from plaingrad.insight.data_facts import data_facts
from plaingrad.insight.facts import DataFacts
from plaingrad.insight.layer_facts import MeasuredPass, measured_pass
from plaingrad.interruption import Interruption
from plaingrad.model import Model
from plaingrad.network import Dropout, Network
from plaingrad.solver import Solver

Array = np.ndarray

_STREAM = 5  # told apart from the other draws that start from the same seed
MEASURED = 200  # samples in the batch that layers are measured on


class Subject:
    """The run that is to be judged.

    make_solver: makes a new Solver with a new model whenever it is called.  start_seconds: how long what
    came before, such as reading the data, took.  interruption: asked between two training steps.

    `solver` is one of them, looked at but never trained.  `start` is `start_seconds`, the time it took to
    make it, and what the first training step took longer than the second, whose time is `step_seconds`:
    the first one of a process loads or compiles kernels.
    Raises RecipeError if make_solver is no function, makes none, or the same model twice.
    """

    def __init__(
        self,
        make_solver: Callable[[], Solver],
        start_seconds: float = 0.0,
        interruption: Interruption | None = None,
    ) -> None:
        if not callable(make_solver):
            raise RecipeError(
                f"make_solver must be a function that makes a Solver, got {type(make_solver).__name__}"
            )
        self._make_solver = make_solver
        self.interruption = interruption or Interruption()
        began = time.perf_counter()
        self.solver = self.fresh()
        made = time.perf_counter()
        trial = self.fresh()
        if trial.model is self.solver.model:
            raise RecipeError(
                "make_solver gave the same model twice: let it make a new one each time it is called"
            )
        X, y = self.batch(min(trial.batch_size, len(self.data.train)))
        seconds = []
        with np.errstate(all="ignore"):
            for step in range(2):
                started = time.perf_counter()
                _, gradients = loss_and_gradients(trial.model, X, y, step=step, count=trial.accumulate)
                trial.optimizer.step(trial.model.params, gradients, trial.learning_rate)
                seconds.append(time.perf_counter() - started)
        self.step_seconds = seconds[1]
        self.start = start_seconds + made - began + max(0.0, seconds[0] - seconds[1])

    def fresh(self) -> Solver:
        """Another solver, which may be trained; without callbacks, for these may write what nobody asked for."""
        solver = self._make_solver()
        require_kind("what make_solver returns", solver, Solver, "such as plaingrad.Solver(model, data)")
        solver.callbacks = []
        return solver

    @property
    def model(self) -> Model:
        """The model at its initial weights."""
        return self.solver.model

    @property
    def network(self) -> Network | None:
        """The model if it is a Network whose layers are what runs: only then they can be looked into."""
        model: Any = self.model
        return model if isinstance(model, Network) and type(model).loss is Network.loss else None

    @property
    def data(self) -> Dataset:
        """What is trained on."""
        return self.solver.data

    @cached_property
    def facts(self) -> DataFacts:
        """What the data looks like."""
        return data_facts(self.data)

    @cached_property
    def measured(self) -> MeasuredPass | None:
        """The layers at the initial weights, on one batch; None for a model that is no Network."""
        return self.network and measured_pass(self.network, *self.batch(MEASURED))

    def batch(self, count: int) -> tuple[Array, Array]:
        """The same `count` training samples each time, or all if there are fewer, with their labels."""
        return self.data.train.batch(self.chosen(count))

    def chosen(self, count: int) -> Array:
        """Which samples `batch` gives: the first of an order drawn at random."""
        return np.random.default_rng(_STREAM).permutation(len(self.data.train))[:count]


def without_regularization(solver: Solver) -> Model:
    """The solver's model without L2 and dropout if it is a Network; any other model as it is.

    A model of one's own may have an attribute `reg`, as the coursework's have: it is set to 0.
    """
    model: Any = solver.model
    if not isinstance(model, Network) or type(model).loss is not Network.loss:
        if isinstance(getattr(model, "reg", None), float | int):
            model.reg = 0.0
        return model
    layers = copy.deepcopy(model.layers)
    for layer, _ in layers.leaves(model.input_shape):
        if isinstance(layer, Dropout):
            object.__setattr__(layer, "rate", 0.0)  # of our own copy: nobody else holds it
    plain = Network(layers, model.input_shape, objective=model.objective, seed=model.seed, dtype=model.dtype)
    plain.params, plain.state = model.params, model.state
    return plain
