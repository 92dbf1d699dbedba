"""How settings are chosen, and which trials are stopped early: what each method is in Optuna."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator

import numpy as np
import optuna

from plaingrad.search.plan import Plan


def sampler(plan: Plan, number: int) -> optuna.samplers.BaseSampler:
    """What draws the setting of one trial: for a random search a function of the seed and the number alone."""
    seed = int(np.random.SeedSequence((plan.seed, number)).generate_state(1)[0])
    with quiet():
        if plan.method == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        return optuna.samplers.RandomSampler(seed=seed)


def pruner(plan: Plan) -> optuna.pruners.BasePruner:
    """What stops trials early.

    The median is not asked before half of the epochs: under a schedule that begins with large steps the best
    settings are behind until then.
    """
    if plan.prune == "median":
        training = plan.recipe.training
        half = 0 if training.iterations is not None else math.ceil(training.epochs) // 2
        return optuna.pruners.MedianPruner(n_warmup_steps=half)
    return optuna.pruners.HyperbandPruner() if plan.prune == "hyperband" else optuna.pruners.NopPruner()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's warnings that a part of it is experimental, or meant for its own loop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
