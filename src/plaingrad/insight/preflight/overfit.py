"""Can the network learn fifty samples by heart?  One that cannot will not learn fifty thousand either."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from plaingrad.accumulation import loss_and_gradients
from plaingrad.insight.preflight.report import Line
from plaingrad.insight.preflight.subject import Subject, without_regularization
from plaingrad.model import Model, predict
from plaingrad.optim import Adam, Rule
from plaingrad.optimizer import Optimizer, clip_by_global_norm

SAMPLES = 50
# Networks of plaingrad need 10 to 100 steps at a learning rate that suits them.
STEPS = 300
SECONDS = 6.0  # for each attempt
OTHERS = (Adam(1e-3), Adam(1e-2))  # what is tried where the run's own rule fails
REACHED = 0.98  # 49 of 50: one of two samples that are the same but for the label cannot be right
_LOOK_EVERY = 10

Array = np.ndarray


class _Attempt(NamedTuple):
    """The best training accuracy, after how many steps it was enough (None: never), and how many there were."""

    accuracy: float
    enough: int | None
    steps: int


def overfit(subject: Subject) -> Line:
    """Whether a fresh network gets 50 samples right in a few hundred steps, with L2, decay and dropout off.

    First with the run's own rule and its learning rate, without a schedule.  Where that fails, with Adam, for
    then it is the learning rate rather than the network.  Evaluated in evaluation mode.
    """
    name = "overfit"
    X, y = subject.batch(SAMPLES)
    own = replace(subject.solver.rule, weight_decay=0.0)
    first = _attempt(subject, own, X, y)
    told = f"{len(y)} samples"
    numbers = {"accuracy": first.accuracy, "steps": first.enough, "samples": len(y)}
    if first.enough is not None:
        return Line(name, "pass", f"{told} are learnt in {first.enough} steps", numbers=numbers)
    kind = type(own).__name__
    failed = (
        f"of {told} {100 * first.accuracy:.0f} % are right after {first.steps} steps of {kind} at {own.lr:g}"
    )
    later = []
    for rule in OTHERS:
        later.append(_attempt(subject, rule, X, y))
        if later[-1].enough is not None:
            return Line(
                name, "warn", f"{failed}, but Adam at {rule.lr:g} learns them in {later[-1].enough}",
                "the network can learn: change the learning rate, see the line learning-rate", numbers,
            )  # fmt: skip
    if max(attempt.steps for attempt in (first, *later)) < STEPS:
        return Line(
            name, "skipped", f"{failed}, which is all that there was time for ({SECONDS:g} s)", numbers=numbers
        )  # fmt: skip
    best = max(attempt.accuracy for attempt in later)
    return Line(
        name, "fail", f"{failed}, and {100 * best:.0f} % with Adam at {' or '.join(f'{rule.lr:g}' for rule in OTHERS)}",
        "look at the lines gradients and activations; then whether inputs, labels and loss are what you "
        "think they are, and whether the network is large enough", numbers | {"adam_accuracy": best},
    )  # fmt: skip


def _attempt(subject: Subject, rule: Rule, X: Array, y: Array) -> _Attempt:
    """Train a fresh model on these samples alone until it has them right, or steps or time run out."""
    solver = subject.fresh()
    model = without_regularization(solver)
    frozen = {name: factor for name, factor in solver.optimizer.factors.items() if factor != 1}
    optimizer = Optimizer(rule, model.params, frozen)
    best, began = 0.0, time.perf_counter()
    with np.errstate(all="ignore"):
        for step in range(1, STEPS + 1):
            subject.interruption.check("in the line overfit")
            loss, gradients = loss_and_gradients(model, X, y, step=step)
            if not math.isfinite(loss):
                return _Attempt(best, None, step)
            if solver.clip_norm is not None:
                gradients = clip_by_global_norm(gradients, solver.clip_norm)
            optimizer.step(model.params, gradients, rule.lr)
            late = time.perf_counter() - began > SECONDS
            if step % _LOOK_EVERY == 0 or late:
                best = max(best, _accuracy(model, X, y))
                if best >= REACHED:
                    return _Attempt(best, step, step)
            if late:
                return _Attempt(best, None, step)
    return _Attempt(best, None, STEPS)


def _accuracy(model: Model, X: Array, y: Array) -> float:
    return float((predict(model, X) == y).mean())
