"""What was set before a run, as far as the solver and the model tell."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from plaingrad.insight.doctor.evidence import Setup
from plaingrad.model import Model
from plaingrad.network import BatchNorm, Dropout, Layer, Network, Objective
from plaingrad.schedules import Warmup
from plaingrad.solver import Solver


def setup_of(solver: Solver) -> Setup:
    """The settings of a solver and its model; what neither tells is None."""
    model, layers = solver.model, _layers(solver.model)
    own = getattr(model, "objective", None)
    objective = own if isinstance(own, Objective) else None
    schedule = solver.schedule.then if isinstance(solver.schedule, Warmup) else solver.schedule
    rates = [layer.rate for layer in layers or () if isinstance(layer, Dropout)]
    factors = getattr(solver.optimizer, "factors", {})
    return Setup(
        objective=None if objective is None else type(objective).__name__.lower(),
        rule=type(solver.rule).__name__.lower(),
        lr=_number(solver.rule.lr),
        schedule=type(schedule).__name__.lower(),
        batch_size=int(solver.batch_size),
        accumulate=int(solver.accumulate),
        steps_per_epoch=int(solver.steps_per_epoch),
        total_steps=int(solver.total_steps),
        reg=_number(getattr(model, "reg", None)),
        weight_decay=_number(getattr(solver.rule, "weight_decay", None)),
        dropout=None if layers is None else float(max(rates, default=0.0)),
        batchnorm=None if layers is None else any(isinstance(layer, BatchNorm) for layer in layers),
        augmented=solver.augmentation is not None,
        label_smoothing=_number(getattr(objective, "label_smoothing", None)),
        parameters=sum(int(np.size(value)) for value in model.params.values()),
        frozen=tuple(name for name, factor in factors.items() if not factor),
        classes=tuple(map(str, solver.data.classes)),
    )


def _layers(model: Model) -> list[Layer] | None:
    if not isinstance(model, Network):
        return None
    return [layer for layer, _ in model.layers.leaves(model.input_shape)]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, Real) else None
