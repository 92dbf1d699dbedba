"""Every layer spec: gradients in networks, the shapes it takes, what it says about those it does not."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaingrad import network
from plaingrad.errors import ShapeError
from plaingrad.insight import check_gradients
from plaingrad.network import (
    ELU,
    GELU,
    Affine,
    BatchNorm,
    Branch,
    Dropout,
    Dropout2d,
    Flatten,
    GroupNorm,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Network,
    Pass,
    ReLU,
    Residual,
    Scale,
    Sequential,
    Sigmoid,
    SiLU,
    Tanh,
    image_layers,
)

ROWS = [
    Affine(3),
    Affine(3, bias=False),
    Flatten(),
    ReLU(),
    LeakyReLU(0.2),
    ELU(0.7),
    Sigmoid(),
    Tanh(),
    GELU(),
    SiLU(),
    LogSoftmax(),
    Dropout(0.4),
    BatchNorm(eps=1e-3),
    LayerNorm(eps=1e-3),
    Scale(0.3),
]
COMBINATORS = {Sequential, Residual, Branch}
IMAGES_ONLY = {Dropout2d, GroupNorm}  # with those of image_layers.py, the rows of test_image_layers.py
NEEDS_ROWS = (Affine, LayerNorm, LogSoftmax)

every_layer = pytest.mark.parametrize("layer", ROWS, ids=repr)


def samples(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_every_layer_has_a_row():
    exported = {getattr(network, name) for name in network.__all__}
    specs = {c for c in exported if inspect.isclass(c) and issubclass(c, Layer) and c is not Layer}
    of_images = {c for c in specs if c.__module__ == image_layers.__name__} | IMAGES_ONLY
    assert specs - COMBINATORS - of_images == {type(layer) for layer in ROWS}


@every_layer
@pytest.mark.parametrize("method", ["elementwise", "projection"])
def test_gradients(layer, method):
    report = check_gradients(layer, samples(5, 4), method=method)
    assert report.ok, report
    assert "x" in [row.name for row in report.rows]


@every_layer
def test_gradients_inside_a_network(layer):
    net = Network(
        Sequential(Flatten(), Affine(6), layer, Affine(5), Tanh(), Affine(3)), (2, 4), reg=0.3, seed=1
    )
    report = check_gradients(net, samples(5, 2, 4), np.array([0, 2, 1, 1, 0]))
    assert report.ok, report
    assert len(report.rows) == len(net.params) + 1


@pytest.mark.parametrize("layer", [x for x in ROWS if not isinstance(x, NEEDS_ROWS)], ids=repr)
def test_gradients_on_images(layer):
    assert check_gradients(layer, samples(3, 2, 3, 2)).ok


@every_layer
def test_output_shape_is_the_shape_of_the_output(layer):
    for shape in [(4,)] if isinstance(layer, NEEDS_ROWS) else [(4,), (2, 3, 2)]:
        net = Network(layer, shape)
        assert net.scores(samples(5, *shape)).shape == (5, *net.output_shape)
        assert net.scores(samples(5, *shape)).dtype == np.float32


@pytest.mark.parametrize("layer", [x for x in ROWS if isinstance(x, NEEDS_ROWS)], ids=repr)
def test_layers_of_rows_say_where_to_put_flatten(layer):
    with pytest.raises(ShapeError, match=rf"{layer.kind}1 expects rows.*\(3, 8, 8\).*Flatten\(\) before it"):
        Network(Sequential(ReLU(), layer), (3, 8, 8))


@pytest.mark.parametrize("layer", [BatchNorm(eps=1e-3), Dropout(0.4), LayerNorm()], ids=repr)
def test_gradients_in_evaluation_mode(layer):
    """Nothing trains in this mode, but a frozen layer below others must still pass gradients on."""
    net = Network(layer, 4, dtype=np.float64)
    rng = np.random.default_rng(3)
    net.params.flat[:], net.state.flat[:] = (
        rng.uniform(0.5, 2, a.flat.size) for a in (net.params, net.state)
    )

    def forward(x):
        evaluation = Pass(net.params.groups, net.state.groups, train=False)
        return evaluation.forward(net.layers, x)

    def backward(dout, cache):
        return Pass(net.params.groups).backward(net.layers, dout, cache)

    report = check_gradients(forward, backward, (samples(5, 4),))
    assert report.ok, report


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2])
def test_dropout_rate_out_of_range(rate):
    with pytest.raises(ValueError, match="rate from 0 to below 1"):
        Dropout(rate)


def test_affine_without_units():
    with pytest.raises(ShapeError, match="at least one"):
        Affine(0)


STEPS = [
    *ROWS,
    Residual(Tanh()),
    Residual(Affine(3), Affine(3)),
    Branch(Affine(2), Sequential(ReLU(), Tanh())),
]


@given(
    chosen=st.lists(st.sampled_from(STEPS), min_size=1, max_size=5), n=st.integers(2, 4), d=st.integers(1, 5)
)
@settings(max_examples=30)
def test_any_stack_of_layers(chosen, n, d):
    """Batches of one are left to the ops: batch norm turns them into zeros, and every ReLU after is a kink."""
    net = Network(Sequential(*chosen, Affine(3)), d, reg=0.1, seed=n)
    net.params.flat += 0.3 * np.random.default_rng(5).standard_normal(net.params.flat.size)
    report = check_gradients(net, samples(n, d, seed=d), np.arange(n) % 3)
    assert report.ok, report
