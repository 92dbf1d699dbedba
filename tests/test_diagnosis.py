"""What a training run that failed says about its cause: from evidence, and only where there is some."""

from __future__ import annotations

import numpy as np
import pytest

import plaingrad as pg
from plaingrad.errors import NonFiniteError
from plaingrad.network import LogSoftmax, NegativeLogLikelihood

RAW = "negative log-likelihood of raw scores: put log-softmax before it, or use cross-entropy"


def failure(objective, lr, *last):
    rng = np.random.default_rng(0)
    data = {"X_train": rng.standard_normal((60, 6)).astype("f4"), "y_train": rng.integers(0, 3, 60)}
    layers = pg.Sequential(pg.Affine(8), pg.ReLU(), pg.Affine(8), pg.ReLU(), pg.Affine(3), *last)
    solver = pg.Solver(
        pg.Network(layers, 6, objective=objective), data, rule=pg.Momentum(lr), epochs=400, batch_size=4
    )
    with pytest.raises(NonFiniteError) as caught:
        solver.train()
    return str(caught.value)


def test_raw_scores_given_to_the_negative_log_likelihood():
    assert RAW in failure(NegativeLogLikelihood(), 0.1)


@pytest.mark.parametrize(
    ("objective", "last"), [(NegativeLogLikelihood(), [LogSoftmax()]), (pg.SoftmaxCrossEntropy(), [])]
)
def test_a_learning_rate_too_large_is_not_blamed_on_the_loss(objective, last):
    problem = failure(objective, 1e20, *last)
    assert "try a smaller learning rate" in problem
    assert "raw scores" not in problem


def test_losses_that_are_not_finite_prove_nothing():
    assert NegativeLogLikelihood().diagnose([1.0, float("nan")]) is None
    assert NegativeLogLikelihood().diagnose([]) is None
