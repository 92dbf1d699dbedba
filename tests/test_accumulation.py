"""A batch in parts: the gradients of the whole, in the memory of a part."""

import numpy as np
import pytest

import plaingrad as pg
from plaingrad.accumulation import loss_and_gradients, micro_batches
from plaingrad.errors import ShapeError

rng = np.random.default_rng(0)
X, y = rng.standard_normal((50, 6)), rng.integers(0, 3, 50)


class Plain:
    """A network behind the narrow waist: plain dicts, and a note of what it was given."""

    def __init__(self, network):
        self.network, self.sizes = network, []
        self.params = dict(network.params)

    def loss(self, X, y=None):
        self.sizes.append(len(X))
        loss, grads = self.network.loss(X, y)
        return loss, dict(grads)


def network(**settings):
    settings = {"input_shape": 6, "classes": 3, "reg": 0.7, "dtype": np.float64} | settings
    return pg.FullyConnectedNet([10, 8], **settings)


@pytest.mark.parametrize("count", [2, 3, 7, 50, 1000])
@pytest.mark.parametrize("wrap", [lambda n: n, Plain], ids=["flat", "plain"])
@pytest.mark.parametrize("normalization", [None, "layernorm"])
def test_parts_give_the_loss_and_gradients_of_the_whole(count, wrap, normalization):
    model = wrap(network(normalization=normalization))
    loss, grads = loss_and_gradients(model, X, y, step=0)
    loss_of_parts, grads_of_parts = loss_and_gradients(model, X, y, step=0, count=count)
    assert loss_of_parts == pytest.approx(loss, rel=1e-13)
    assert grads_of_parts.keys() == grads.keys()
    for name, gradient in grads.items():
        np.testing.assert_allclose(grads_of_parts[name], gradient, rtol=1e-12, atol=1e-13)


def test_one_part_is_the_model_itself():
    loss, grads = loss_and_gradients(network(), X, y, step=0, count=1)
    expected, expected_grads = network().loss(X, y)
    assert loss == expected
    assert grads.flat.tobytes() == expected_grads.flat.tobytes()


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [50]), (3, [16, 17, 17]), (8, [6, 6, 6, 7] * 2), (99, [1] * 50)]
)
def test_parts_are_of_nearly_one_size_and_hold_every_sample_once(count, sizes):
    model = Plain(network())
    loss_and_gradients(model, X, y, step=0, count=count)
    assert model.sizes == sizes
    parts = list(micro_batches(model, X, y, step=0, count=count))
    np.testing.assert_array_equal(np.concatenate([part for part, _, _ in parts]), X)
    np.testing.assert_array_equal(np.concatenate([part for _, part, _ in parts]), y)
    assert [share for _, _, share in parts] == [size / 50 for size in sizes]


def test_dropout_drops_other_units_in_each_part_of_each_step():
    model = pg.Network(pg.Dropout(0.5), 1000)
    masks, steps = set(), []
    for step in range(3):
        for part, _, _ in micro_batches(model, np.ones((4, 1000)), np.zeros(4), step=step, count=4):
            steps.append(model.step)
            masks.add(model._pass(train=True).forward(model.layers, part)[0].tobytes())
    assert steps == list(range(12))
    assert len(masks) == 12


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda loss, grads: loss, r"must return \(loss, gradients\), got float"),
        (lambda loss, grads: (loss, list(grads)), "must be a dict keyed like params, got list"),
        (
            lambda loss, grads: (loss, {"affine1.bias": grads["affine1.bias"]}),
            "no gradient of affine1.weight",
        ),
        (lambda loss, grads: (loss, grads | {"affine1.bias": 1.0}), r"of affine1.bias has shape \(\)"),
    ],
)
def test_gradients_that_do_not_fit_are_not_added(returned, words):
    class Wrong(Plain):
        def loss(self, X, y=None):
            return returned(*super().loss(X, y))

    with pytest.raises(ShapeError, match=words):
        loss_and_gradients(Wrong(network()), X, y, step=0, count=2)
