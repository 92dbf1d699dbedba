"""Questions that need the model itself, asked of copies of it: is evaluation repeatable, is the loss a mean, ...?"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from plaingrad.averaging import copy_of, parts_of
from plaingrad.data import Split
from plaingrad.insight.doctor.evidence import Probes
from plaingrad.model import Model
from plaingrad.optimizer import global_norm

Array = np.ndarray

_NOTHING = Probes()


def probe(model: Model, X: Array, y: Array, known: Probes = _NOTHING) -> Probes:
    """Ask every question on a fixed batch X (n, ...), y (n,), but for those whose answers are `known`.

    Each experiment is made with deep copies of the model, and generators that models share (NumPy's and
    Python's global ones) are put back, so training goes on as if nobody had asked.  A question that a model
    cannot be asked, because it cannot be copied, raises an error or answers with what is not finite, has the
    answer None.
    """
    experiments = {
        ("repeat", "changed_by_evaluation"): lambda m: _evaluated_twice(m, X),
        ("company",): lambda m: _in_company(m, X),
        ("doubled_loss", "doubled_gradient"): lambda m: _doubled(m, X, y),
        ("second_gradient",): lambda m: _asked_again(m, X, y),
    }
    answers = dict(vars(known))
    for names, experiment in experiments.items():
        if any(answers[name] is None for name in names):
            found = _made(model, experiment) or (None,) * len(names)
            answers |= {name: own for name, own in zip(names, found, strict=True) if answers[name] is None}
    return Probes(**answers)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block, whatever is drawn from global generators has not been drawn afterwards."""
    numpys = np.random.get_state()  # noqa: NPY002 (models of users' own may draw from it)
    pythons = random.getstate()
    try:
        with np.errstate(all="ignore"):  # what is not finite is a fact
            yield
    finally:
        np.random.set_state(numpys)  # noqa: NPY002
        random.setstate(pythons)


def copied(model: Model) -> Model:
    """A deep copy of the model.  Raises TypeError for a model that gives itself instead."""
    made = copy.deepcopy(model)
    if made is model:
        raise TypeError(f"{type(model).__name__} cannot be copied: its deep copy is itself")
    return made


def _made(model: Model, experiment: Callable[[Model], tuple[Any, ...]]) -> tuple[Any, ...] | None:
    try:
        with undisturbed():
            answers = experiment(copied(model))
    except Exception:  # a model of the user's own may raise anything; training will meet it, or never
        return None
    return tuple(own if own is not None and math.isfinite(own) else None for own in answers)


def _evaluated_twice(model: Model, X: Array) -> tuple[float | None, bool]:
    """How far the scores are apart, and whether parameters or state have changed."""
    before = copy_of(parts_of(model))
    apart = _apart(_scores(model, X), _scores(model, X))
    now = parts_of(model)
    same = all(
        np.array_equal(array, now[part][name], equal_nan=True)
        for part, arrays in before.items()
        for name, array in arrays.items()
    )
    return apart, not same


def _in_company(model: Model, X: Array) -> tuple[float | None]:
    """The first third before the second, and after the last: in other company, and at other places."""
    third = len(X) // 3
    if not third:
        return (None,)
    before = _scores(model, X[: 2 * third])[:third]
    after = _scores(model, np.concatenate([X[2 * third : 3 * third], X[:third]]))[third:]
    return (_apart(before, after),)


def _doubled(model: Model, X: Array, y: Array) -> tuple[float, float]:
    """The loss and the gradient's norm of a batch with every sample twice, over the batch's own."""
    loss, norm = _loss_and_norm(copy.deepcopy(model), X, y)
    twice, twice_norm = _loss_and_norm(model, np.concatenate([X, X]), np.concatenate([y, y]))
    return _ratio(twice, loss), _ratio(twice_norm, norm)


def _asked_again(model: Model, X: Array, y: Array) -> tuple[float]:
    """The norm of the gradient the second time, over the first."""
    first = _loss_and_norm(model, X, y)[1]
    return (_ratio(_loss_and_norm(model, X, y)[1], first),)


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan


def _scores(model: Model, X: Array) -> Array:
    """Of a batch of their own: what a model writes into its input is nobody's business here."""
    return np.array(model.loss(X.copy()), dtype=np.float64)


def _loss_and_norm(model: Model, X: Array, y: Array) -> tuple[float, float]:
    """In training mode, from the same state of the global generators each time: dropout is no answer here."""
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    loss, gradients = model.loss(X.copy(), y.copy())
    if not isinstance(gradients, Mapping):
        raise TypeError("gradients must be a dict")
    return float(loss), global_norm(gradients)


def _apart(a: Array, b: Array) -> float | None:
    """The largest difference in units of the standard deviation; None where all scores are one number."""
    deviation = float(a.std())
    return float(np.abs(a - b).max()) / deviation if deviation else None


def fixed_batch(split: Split, seed: int, samples: int) -> tuple[Array, Array]:
    """So many samples of a split, drawn with the seed, the same ones in the same order each time."""
    return split.batch(np.random.default_rng((seed, 5)).permutation(len(split))[:samples])
