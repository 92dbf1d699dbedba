"""Layers in a row, around a shortcut, side by side, and used twice: against JAX on the same formulas."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plaingrad.errors import ShapeError
from plaingrad.insight import check_gradients
from plaingrad.network import (
    Affine,
    BatchNorm,
    Branch,
    Dropout,
    Flatten,
    Layer,
    Network,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)

X = np.random.default_rng(0).standard_normal((6, 4))
Y = np.array([0, 2, 1, 1, 0, 2])


def affine(p, name, x):
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def plain_stack(p, x):
    return affine(p, "affine2", jax.nn.relu(affine(p, "affine1", x)))


def residual_identity(p, x):
    return affine(p, "affine2", x + jnp.tanh(affine(p, "affine1", x)))


def residual_projected(p, x):
    return jax.nn.relu(affine(p, "affine1", x)) + affine(p, "affine2", x)


def branch_concatenated(p, x):
    left, right = affine(p, "affine1", x), jnp.tanh(affine(p, "affine2", x))
    return affine(p, "affine3", jnp.concatenate([left, right], axis=1))


def branch_added(p, x):
    return affine(p, "affine1", x) + affine(p, "affine2", x) + jnp.tanh(affine(p, "affine3", x))


def shared_in_a_row(p, x):
    return affine(p, "out", jnp.tanh(affine(p, "twin", jnp.tanh(affine(p, "twin", x)))))


def shared_across_branches(p, x):
    return affine(p, "out", affine(p, "twin", x) + affine(p, "twin", jnp.tanh(x)))


twin = Affine(4, name="twin")
ALIKE = [
    (Sequential(Affine(5), ReLU(), Affine(3)), plain_stack),
    (Sequential(Residual(Sequential(Affine(4), Tanh())), Affine(3)), residual_identity),
    (Residual(Sequential(Affine(3), ReLU()), Affine(3)), residual_projected),
    (Sequential(Branch(Affine(2), Sequential(Affine(5), Tanh())), Affine(3)), branch_concatenated),
    (Branch(Affine(3), Affine(3), Sequential(Affine(3), Tanh()), join="add"), branch_added),
    (Sequential(twin, Tanh(), twin, Tanh(), Affine(3, name="out")), shared_in_a_row),
    (
        Sequential(Branch(twin, Sequential(Tanh(), twin), join="add"), Affine(3, name="out")),
        shared_across_branches,
    ),
]


@pytest.mark.parametrize(("layers", "by_jax"), ALIKE, ids=[by_jax.__name__ for _, by_jax in ALIKE])
def test_loss_and_gradients_agree_with_jax(layers, by_jax):
    net = Network(layers, 4, reg=0.2, seed=3, dtype=np.float64)

    def loss_by_jax(p, x):
        logp = jax.nn.log_softmax(by_jax(p, x))
        penalty = sum(jnp.sum(w**2) for name, w in p.items() if name.endswith("weight"))
        return -jnp.mean(logp[jnp.arange(6), Y]) + 0.1 * penalty

    params = {name: jnp.asarray(value) for name, value in net.params.items()}
    expected, (expected_grads, expected_dx) = jax.value_and_grad(loss_by_jax, (0, 1))(params, jnp.asarray(X))
    loss, grads, dx = net.loss_and_gradients(X, Y, needs_dx=True)

    np.testing.assert_allclose(net.scores(X), by_jax(params, X), rtol=1e-12)
    np.testing.assert_allclose(loss, expected, rtol=1e-13)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-10, atol=1e-14)
    assert set(grads) == set(expected_grads)
    for name, gradient in grads.items():
        np.testing.assert_allclose(gradient, expected_grads[name], rtol=1e-10, atol=1e-14, err_msg=name)


def test_a_branch_at_the_bottom_whose_paths_differ_in_what_they_give():
    """A path without parameters gives dx though nobody asks, one with parameters does not."""
    for paths in ((ReLU(), Affine(4)), (Affine(4), ReLU())):
        net = Network(Sequential(Branch(*paths, join="add"), Affine(2)), 4, dtype=np.float64)
        X = np.random.default_rng(0).standard_normal((5, 4))
        _, grads = net.loss(X, np.array([0, 1, 1, 0, 1]))
        _, wanted, _ = net.loss_and_gradients(X, np.array([0, 1, 1, 0, 1]), needs_dx=True)
        np.testing.assert_array_equal(grads.flat, wanted.flat)


def test_a_name_that_was_chosen_is_given_to_no_other_layer():
    """Sharing is something one says: deep inside or later, a chosen name is passed over."""
    layers = Sequential(
        Affine(4, name="affine2"),
        Affine(4),
        Affine(4),
        Residual(Affine(4, name="affine1"), Affine(4)),
        Branch(Affine(4, name="affine4"), Affine(4), join="add"),
    )
    net = Network(layers, 4)
    weights = [name.removesuffix(".weight") for name in net.params if name.endswith("weight")]
    assert weights == ["affine2", "affine3", "affine5", "affine1", "affine6", "affine4", "affine7"]


def test_shared_layers_have_one_set_of_parameters():
    net = Network(ALIKE[5][0], 4)
    assert list(net.params) == ["twin.weight", "twin.bias", "out.weight", "out.bias"]


def test_nested_combinators_by_differences():
    block = Residual(
        Sequential(BatchNorm(), Branch(Affine(2), Residual(Tanh())), Affine(4)),
        Sequential(Dropout(0.3), Affine(4)),
    )
    report = check_gradients(Sequential(block, block, Affine(2)), X)
    assert report.ok, report
    assert len(report.rows) == 19


def test_branch_of_images_joins_channels():
    """Along the first axis of a sample, with the paths in order, forward and backward."""
    net = Network(Branch(ReLU(), Tanh()), (2, 3, 3), dtype=np.float64)
    images = np.random.default_rng(0).standard_normal((5, 2, 3, 3))
    assert net.output_shape == (4, 3, 3)
    np.testing.assert_array_equal(
        net.scores(images), np.concatenate([np.maximum(images, 0), np.tanh(images)], axis=1)
    )
    assert check_gradients(Branch(ReLU(), Tanh()), images).ok


class CountingDx(Affine):
    """An affine layer that notes whether it was asked for dx."""

    asked: list  # set by the test

    def backward(self, dout, cache, *, needs_dx):
        self.asked.append((self.name, needs_dx))
        return super().backward(dout, cache, needs_dx=needs_dx)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (lambda: Sequential(CountingDx(3), ReLU(), CountingDx(3)), [False, True]),
        (lambda: Sequential(Flatten(), Tanh(), CountingDx(3), CountingDx(3)), [False, True]),
        (lambda: Sequential(Residual(CountingDx(4)), CountingDx(3)), [False, True]),
        (lambda: Sequential(Branch(CountingDx(4), CountingDx(2)), CountingDx(3)), [False, False, True]),
    ],
    ids=["first", "after layers that learn nothing", "in a residual", "in a branch"],
)
def test_the_first_layers_compute_no_gradient_of_the_input(layers, expected, monkeypatch):
    asked = []
    monkeypatch.setattr(CountingDx, "asked", asked, raising=False)
    net = Network(layers(), 4)
    _, grads, dx = net.loss_and_gradients(X, Y)
    assert dx is None
    assert [needs for _, needs in sorted(asked)] == expected
    asked.clear()
    _, with_dx, dx = net.loss_and_gradients(X, Y, needs_dx=True)
    assert dx.shape == X.shape
    assert all(needs for _, needs in asked)
    np.testing.assert_array_equal(grads.flat, with_dx.flat)


def test_layers_below_the_first_that_learns_are_not_run_backwards():
    class NoBackward(Layer):
        def output_shape(self, shape):
            return shape

        def forward(self, x, params, state, run):
            return x + 1, None

        def backward(self, dout, cache, *, needs_dx):
            raise AssertionError("nothing below the first parameters needs a gradient")

    loss, grads = Network(Sequential(NoBackward(), Sequential(NoBackward(), Affine(3))), 4).loss(X, Y)
    assert np.isfinite(loss)
    assert np.abs(grads.flat).max() > 0


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (Residual(Affine(5)), r"residual1 adds its body's output \(5,\) to its shortcut's \(4,\)"),
        (
            Branch(Affine(2), Affine(3), join="add"),
            r"branch1: paths with outputs \(2,\), \(3,\) do not add up",
        ),
        (Sequential(twin, Affine(5), twin), r"two layers are called 'twin'.*rename one"),
        (Sequential(twin, Affine(4, bias=False, name="twin")), r"two layers are called 'twin'.*rename one"),
    ],
)
def test_what_does_not_fit_is_said_by_name(layers, words):
    with pytest.raises(ShapeError, match=words):
        Network(layers, 4)


def test_side_by_side_needs_images_of_one_size():
    class Halve(ReLU):
        def output_shape(self, shape):
            return (shape[0], shape[1] // 2, shape[2] // 2)

    with pytest.raises(ShapeError, match="do not stand side by side"):
        Network(Branch(ReLU(), Halve()), (3, 8, 8))


def test_branch_arguments():
    with pytest.raises(ValueError, match='"concatenate" or "add", not \'multiply\''):
        Branch(ReLU(), join="multiply")
    with pytest.raises(ValueError, match="at least one path"):
        Branch()
