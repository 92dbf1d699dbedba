"""What a network says when labels, targets, inputs or a layer's gradients do not fit; its objectives."""

from __future__ import annotations

import numpy as np
import pytest

from plaingrad import ops
from plaingrad.errors import DataError, ShapeError
from plaingrad.network import (
    Affine,
    FullyConnectedNet,
    Hinge,
    Layer,
    LogSoftmax,
    MeanSquaredError,
    NegativeLogLikelihood,
    Network,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 4)).astype(np.float32)
Y = np.array([0, 2, 1, 1, 0, 2])


def small(*layers: Layer, **settings) -> Network:
    return Network(Sequential(*(layers or (Affine(5), ReLU(), Affine(3)))), 4, **settings)


class TestComplaints:
    def test_input_of_another_shape(self):
        with pytest.raises(ShapeError, match=r"expects X of shape \(N, 4\), got \(6, 5\)"):
            small().loss(np.zeros((6, 5)), Y)
        with pytest.raises(ShapeError, match=r"\(N, 3, 8, 8\), got \(2, 8, 8, 3\)"):
            FullyConnectedNet([4], input_shape=(3, 8, 8)).scores(np.zeros((2, 8, 8, 3)))

    @pytest.mark.parametrize(
        ("y", "error", "words"),
        [
            ([0, 1, 2, 3, 0, 0], DataError, "label 3 is out of range.*0 to 2"),
            ([0, 1, 2, -1, 0, 0], DataError, "label -1 is out of range"),
            ([0.0, 1, 2, 1, 0, 0], DataError, "labels must be integers, got float64"),
            ([0, 1, 2], ShapeError, r"6 samples need labels of shape \(6,\), got \(3,\)"),
        ],
    )
    @pytest.mark.parametrize(
        "objective", [SoftmaxCrossEntropy(), Hinge(), NegativeLogLikelihood(), MeanSquaredError()], ids=repr
    )
    def test_labels_that_are_not_classes(self, objective, y, error, words):
        with pytest.raises(error, match=words):
            small(objective=objective).loss(X, np.array(y))

    def test_targets_of_another_shape(self):
        with pytest.raises(ShapeError, match=r"scores \(6, 3\) need .* got \(6, 2\)"):
            small().loss(X, np.zeros((6, 2)))
        with pytest.raises(ShapeError, match=r"scores \(6, 3\) need .* got \(6, 2\)"):
            small(objective=MeanSquaredError()).loss(X, np.zeros((6, 2)))

    def test_smoothing_out_of_range(self):
        with pytest.raises(ValueError, match="label_smoothing must be from 0 to below 1"):
            SoftmaxCrossEntropy(label_smoothing=1.0)

    @pytest.mark.parametrize(
        ("gradients", "words"),
        [
            ({}, "no gradient came back for scale1.weight"),
            ({"weight": np.ones((1, 4))}, r"scale1\.weight has shape \(4,\).*\(1, 4\)"),
            ({"weight": np.ones(4), "bias": np.ones(4)}, r"no array named 'scale1\.bias'"),
        ],
    )
    def test_a_layer_of_ones_own_whose_gradients_do_not_fit(self, gradients, words):
        class Scale(ReLU):
            has_parameters = True

            def init(self, shape, rng):
                return {"weight": np.ones(shape)}

            def backward(self, dout, cache, *, needs_dx):
                return dout, gradients

        with pytest.raises((ShapeError, KeyError), match=words):
            small(Scale(), Affine(3)).loss(X, Y)


class TestObjectives:
    @pytest.mark.parametrize(
        ("objective", "op", "keywords"),
        [
            (SoftmaxCrossEntropy(0.2), "softmax_cross_entropy", {"label_smoothing": 0.2}),
            (Hinge(0.5), "hinge", {"margin": 0.5}),
            (NegativeLogLikelihood(), "negative_log_likelihood", {}),
        ],
    )
    def test_each_binds_its_op(self, objective, op, keywords):
        layers = (Affine(3), LogSoftmax()) if op.startswith("neg") else (Affine(3),)
        net = small(*layers, objective=objective)
        expected, _ = getattr(ops, f"{op}_forward")(net.scores(X), Y, **keywords)
        assert net.loss(X, Y)[0] == pytest.approx(float(expected), rel=1e-6)

    def test_squared_error_takes_labels_as_one_hot_targets(self):
        net = small(objective=MeanSquaredError())
        by_label, by_target = net.loss(X, Y), net.loss(X, np.eye(3)[Y])
        assert (
            by_label[0]
            == by_target[0]
            == pytest.approx(np.mean((net.scores(X) - np.eye(3)[Y]) ** 2), rel=1e-5)
        )
        np.testing.assert_array_equal(by_label[1].flat, by_target[1].flat)

    @pytest.mark.parametrize("objective", [SoftmaxCrossEntropy(), MeanSquaredError()], ids=repr)
    def test_targets_in_float64_do_not_turn_the_backward_pass_into_float64(self, objective):
        _, cache = objective.forward(small().scores(X), np.eye(3)[Y])
        assert objective.backward(cache).dtype == np.float32
