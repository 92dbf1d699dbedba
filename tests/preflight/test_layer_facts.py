"""Facts of layers, parameters and scores against direct computations."""

import math

import numpy as np
import pytest

import plaingrad as pg
from plaingrad import ops
from plaingrad.insight.layer_facts import layer_facts, measured_pass, parameter_facts, score_facts

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 6)), RNG.integers(3, size=20)


def net(*layers, shape=6, **settings):
    return pg.Network(pg.Sequential(*layers), shape, dtype=np.float64, **settings)


def test_outputs_and_gradients_of_each_layer():
    network = net(pg.Affine(5), pg.ReLU(), pg.Affine(3))
    network.params["affine1.bias"] = [-100, 0, 0, 0, 0]
    first, relu, last = layer_facts(network, X, Y)
    W1, b1, W2, b2 = network.params.values()
    out = X @ W1 + b1
    hidden = np.maximum(out, 0)
    scores = hidden @ W2 + b2
    dscores = ops.softmax_cross_entropy_backward(1.0, ops.softmax_cross_entropy_forward(scores, Y)[1])
    dhidden = dscores @ W2.T
    for facts, values, gradient in (
        (first, out, dhidden * (out > 0)),
        (relu, hidden, dhidden),
        (last, scores, dscores),
    ):
        assert [facts.mean, facts.std] == pytest.approx([values.mean(), values.std()])
        assert facts.zero == (values == 0).mean()
        assert facts.gradient == pytest.approx(20 * np.sqrt((gradient**2).mean()))
        assert facts.finite
        assert facts.saturated is None
    assert [f.name for f in (first, relu, last)] == ["affine1", "relu1", "affine2"]
    assert [f.kind for f in (first, relu, last)] == ["affine", "relu", "affine"]
    assert (relu.dead, relu.units, first.dead) == (0.2, 5, 0)


def test_units_of_images_are_channels():
    network = net(pg.Conv2d(4, 3), pg.ReLU(), pg.Flatten(), pg.Affine(3), shape=(2, 6, 6))
    network.params["conv1.weight"][1] = 0
    network.params["conv1.bias"] = [0, -1, 0, 0]
    relu = layer_facts(network, RNG.standard_normal((20, 2, 6, 6)), Y)[1]
    assert (relu.dead, relu.units) == (0.25, 4)


@pytest.mark.parametrize(("layer", "low", "high"), [(pg.Sigmoid(), 0.01, 0.99), (pg.Tanh(), -0.99, 0.99)])
def test_saturated_outputs(layer, low, high):
    network = net(pg.Affine(50, weight_init=pg.Normal(3.0)), layer, pg.Affine(3))
    facts = layer_facts(network, X, Y)[1]
    out = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}[facts.kind](
        X @ network.params["affine1.weight"]
    )
    assert facts.saturated == ((out < low) | (out > high)).mean() > 0.1


def test_the_network_stays_as_it_was():
    network = net(pg.Affine(5), pg.BatchNorm(), pg.ReLU(), pg.Dropout(0.5), pg.Affine(3), reg=0.1, seed=3)
    network.step = 7
    before = network.params.flat.copy(), network.state.flat.copy()
    loss, gradients, layers = measured_pass(network, X, Y)
    assert np.array_equal(network.params.flat, before[0])
    assert np.array_equal(network.state.flat, before[1])
    assert network.step == 7
    expected, own = network.loss(X, Y)  # which drops the same units, at the same step
    w = network.params.flat[: network.params.size_first]
    assert loss == pytest.approx(expected - 0.05 * w @ w)
    np.testing.assert_allclose(gradients["affine2.bias"], own["affine2.bias"])
    np.testing.assert_allclose(
        gradients["affine1.weight"], own["affine1.weight"] - 0.1 * network.params["affine1.weight"]
    )
    assert [layer.kind for layer in layers] == ["affine", "batchnorm", "relu", "dropout", "affine"]


def test_a_layer_used_twice_is_there_twice_each_with_its_gradient():
    shared = pg.Affine(6, name="shared")
    network = net(shared, pg.ReLU(), shared, pg.Affine(3))
    first, _, second, last = layer_facts(network, X, Y)
    W, V = network.params["shared.weight"], network.params["affine1.weight"]
    hidden = np.maximum(X @ W, 0)
    dscores = ops.softmax_cross_entropy_backward(1.0, ops.softmax_cross_entropy_forward(hidden @ W @ V, Y)[1])
    later = dscores @ V.T
    earlier = (later @ W.T) * (hidden > 0)
    assert second.gradient == pytest.approx(20 * np.sqrt((later**2).mean()))
    assert first.gradient == pytest.approx(20 * np.sqrt((earlier**2).mean()))
    assert last.gradient == pytest.approx(20 * np.sqrt((dscores**2).mean()))


def test_what_is_not_finite_is_a_fact():
    network = net(pg.Affine(5), pg.Affine(3))
    network.params["affine1.weight"][0, 0] = np.nan
    first, last = layer_facts(network, X, Y)
    assert (first.finite, last.finite) == (False, False)
    assert math.isfinite(first.mean)
    assert (last.mean, last.std) == (0, 0)


def test_parameters():
    params = {"w": np.array([[3.0, 4.0]]), "b": np.ones(4), "frozen": np.ones(2)}
    gradients = {"w": np.array([[0.0, 2.0]]), "b": np.zeros(4)}
    w, b = parameter_facts(params, gradients, {"w": np.array([[3.0, 1.0]]), "b": np.ones(4)})
    assert (w.name, w.size, w.norm, w.std, w.gradient, w.update) == ("w", 2, 5, 0.5, 2, 3)
    assert (b.norm, b.std, b.gradient, b.update) == (2, 0, 0, 0)
    assert parameter_facts(params, gradients)[0].update == 0


def test_scores():
    scores = RNG.standard_normal((20, 3))
    facts = score_facts(scores, Y)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert [facts.low, facts.high, facts.std] == pytest.approx([scores.min(), scores.max(), scores.std()])
    assert facts.loss == pytest.approx(np.mean([-np.log(p[i, Y[i]]) for i in range(20)]))
    assert facts.nll == pytest.approx(np.mean([-scores[i, Y[i]] for i in range(20)]))
    assert facts.confidence == pytest.approx(np.mean([max(row) for row in p]))
    assert facts.spread == pytest.approx(np.mean([scores[:, c].std() for c in range(3)]) / scores.std())
    assert facts.predicted == tuple((scores.argmax(axis=1) == c).sum() for c in range(3))
    assert facts.accuracy == (scores.argmax(axis=1) == Y).mean()
    assert (facts.probabilities, facts.log_probabilities) == (False, False)


def test_scores_that_are_probabilities_or_their_logarithms():
    p = RNG.dirichlet(np.ones(3), 20).astype(np.float32)
    assert score_facts(p, Y).probabilities
    assert not score_facts(p, Y).log_probabilities
    assert score_facts(np.log(p), Y).log_probabilities
    assert not score_facts(np.log(p), Y).probabilities
    assert not score_facts(p / 2, Y).probabilities
    assert score_facts(np.ones((20, 3)), Y).spread == 0
