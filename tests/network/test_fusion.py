"""Neighbours that run as one: the numbers and names are those of the layers as they were written."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from plaingrad import ops, plain
from plaingrad.network import (
    ELU,
    GELU,
    VGG,
    Affine,
    BatchNorm,
    Branch,
    Conv2d,
    Dropout,
    FastNet,
    Flatten,
    FourConvNet,
    FullyConnectedNet,
    LayerNorm,
    LeNet,
    MaxPool2d,
    Network,
    ReLU,
    Residual,
    ResNet,
    Sequential,
    Tanh,
    ThreeLayerConvNet,
    TwoLayerNet,
)
from plaingrad.network.fusion import AffineReLU, BatchNormActivation, Conv2dReLU, Joined, fused

JOINED_OPS = ("batchnorm_activation", "conv2d_relu", "affine_relu")


def joined_in(layer) -> list[Joined]:
    if isinstance(layer, Joined):
        return [layer]
    return [found for child in layer.children() for found in joined_in(child)]


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.fixture
def runs(monkeypatch) -> Counter:
    """Joined ops run for all arguments, by their formulas; how often each has run."""
    count: Counter = Counter()

    def counting(name: str, formula: Callable) -> Callable:
        def run(*args, **keywords):
            count[name] += 1
            with plain():
                return formula(*args, **keywords)

        return run

    for op in JOINED_OPS:
        for side in ("forward", "backward"):
            function = getattr(ops, f"{op}_{side}")
            kernel = counting(f"{op}_{side}", function.formula)
            monkeypatch.setattr(function, "kernels", [(lambda *args, **keywords: True, kernel)])
    return count


twin, twin_norm = Conv2d(3, 3, padding=1, name="twin"), BatchNorm(name="norm")
SHAPE = (3, 8, 9)
NETWORKS: dict[str, Callable[[type], Network]] = {
    "two layers": lambda dtype: TwoLayerNet(7, std=0.3, input_shape=SHAPE, dtype=dtype),
    "fully connected": lambda dtype: FullyConnectedNet(
        [7, 6], normalization="batchnorm", dropout=0.3, input_shape=SHAPE, dtype=dtype
    ),
    "lenet": lambda dtype: LeNet(input_shape=(1, 16, 17), dtype=dtype),
    "lenet, batchnorm": lambda dtype: LeNet(input_shape=(1, 16, 17), normalization="batchnorm", dtype=dtype),
    "four convolutions": lambda dtype: FourConvNet(3, input_shape=(2, 16, 17), dtype=dtype),
    "four convolutions, shared": lambda dtype: FourConvNet(
        3, shared=True, input_shape=(2, 16, 17), dtype=dtype
    ),
    "three layers": lambda dtype: ThreeLayerConvNet(3, 5, 7, std=0.3, input_shape=SHAPE, dtype=dtype),
    "vgg": lambda dtype: VGG((3, 4), input_shape=SHAPE, dtype=dtype),
    "resnet": lambda dtype: ResNet(8, widths=(2, 3, 4), input_shape=SHAPE, dtype=dtype),
    "fastnet": lambda dtype: FastNet((3, 4), stem=2, input_shape=(3, 13, 14), dtype=dtype),
    "nested": lambda dtype: Network(
        Sequential(
            Sequential(Conv2d(3, 3), Sequential(BatchNorm())),
            Sequential(),
            Sequential(Sequential(ReLU())),
            Branch(
                Sequential(Conv2d(2, 1), ReLU(), Dropout(0.4)),
                Residual(Sequential(BatchNorm(), GELU()), Sequential(Conv2d(3, 1), ReLU())),
            ),
            ReLU(),
            ReLU(),
            Flatten(),
            Affine(4),
            ReLU(),
        ),
        SHAPE,
        dtype=dtype,
    ),
    "shared": lambda dtype: Network(
        Sequential(twin, ReLU(), twin_norm, GELU(), twin, twin_norm, twin, ReLU(), Flatten(), Affine(4)),
        SHAPE,
        dtype=dtype,
    ),
    "alone": lambda dtype: Network(Sequential(Affine(4), ReLU()), 5, dtype=dtype),
    "not in a row": lambda dtype: Network(Branch(Affine(4), ReLU(), join="concatenate"), 5, dtype=dtype),
}
every_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)


def experienced(net: Network) -> Network:
    """`net` with no parameter at a special value, such as γ = 1, and with running statistics."""
    net.params.flat += (0.1 * images(net.params.flat.size, seed=1)).astype(net.dtype)
    net.state.flat[:] = np.random.default_rng(2).uniform(0.5, 2, net.state.flat.size)
    return net


def numbers(net: Network) -> dict[str, np.ndarray]:
    """Scores, then loss, gradients and state of a training step at a step of its own."""
    X, y = images(5, *net.input_shape), np.arange(5) % 4
    net.step = 3
    scores = net.scores(X)
    loss, grads, dx = net.loss_and_gradients(X, y, needs_dx=True)
    assert dx is not None
    state = {f"state/{name}": value for name, value in net.state.items()}
    return {"scores": scores, "loss": np.array(loss), "dx": dx, **grads, **state}


def assert_alike(got: dict[str, np.ndarray], right: dict[str, np.ndarray], tolerance: float) -> None:
    assert list(got) == list(right)
    for name, value in right.items():
        scale = np.abs(value).max(initial=1)
        np.testing.assert_allclose(got[name], value, rtol=0, atol=tolerance * scale, err_msg=name)


class TestNumbers:
    @every_network
    def test_joined_is_as_written(self, make, runs):
        """By the formulas, in double precision: loss, gradients, running statistics."""
        with plain():
            right = numbers(experienced(make(np.float64)))
        assert not runs
        net = experienced(make(np.float64))
        assert_alike(numbers(net), right, 1e-12)
        joined = joined_in(fused(net.layers))
        for side in ("forward", "backward"):
            assert runs[f"batchnorm_activation_{side}"] == sum(
                isinstance(layer, BatchNormActivation) for layer in joined
            ), "in training; in evaluation the running statistics are used"
        for op, kind in (("conv2d_relu", Conv2dReLU), ("affine_relu", AffineReLU)):
            count = sum(isinstance(layer, kind) for layer in joined)
            assert runs[f"{op}_forward"] == 2 * count, "in evaluation and in training"
            assert runs[f"{op}_backward"] == count

    @every_network
    def test_with_kernels(self, make):
        """By whatever kernels there are, in single precision, where rounding may move a unit over its kink."""
        with plain():
            right = numbers(experienced(make(np.float32)))
        assert_alike(numbers(experienced(make(np.float32))), right, 2e-3)

    @every_network
    def test_without_a_kernel_the_two_run_one_by_one(self, make, monkeypatch):
        for op in JOINED_OPS:
            monkeypatch.setattr(getattr(ops, f"{op}_forward"), "kernels", [])
            monkeypatch.delattr(getattr(ops, f"{op}_forward"), "formula")
        apart, net = (experienced(make(np.float64)) for _ in range(2))
        monkeypatch.setattr(apart, "_fused", apart.layers)
        right = numbers(apart)
        for name, value in numbers(net).items():
            np.testing.assert_array_equal(value, right[name], err_msg=name)

    def test_the_first_layers_compute_no_gradient_of_the_input(self, runs, monkeypatch):
        asked = []
        original = ops.conv2d_relu_backward

        def backward(dout, cache, *, needs_dx=True):
            asked.append(needs_dx)
            return original(dout, cache, needs_dx=needs_dx)

        monkeypatch.setattr(ops, "conv2d_relu_backward", backward)
        layers = (Conv2d(2, 3), ReLU(), Conv2d(2, 3), ReLU(), Flatten(), Affine(3))
        net = Network(Sequential(*layers), SHAPE)
        net.loss(images(2, *SHAPE), np.array([0, 1]))
        assert asked == [True, False]


class TestRewriting:
    @pytest.mark.parametrize(
        ("layers", "kinds"),
        [
            ((Affine(3), ReLU()), [AffineReLU]),
            ((Conv2d(3, 3), ReLU(), Conv2d(2, 3), ReLU(), MaxPool2d(2)), [Conv2dReLU]),
            ((Conv2d(3, 3), BatchNorm(), GELU()), [BatchNormActivation]),
            ((BatchNorm(), ReLU(), ReLU()), [BatchNormActivation]),
            ((Affine(3), ReLU(), Affine(3), ReLU()), [AffineReLU, AffineReLU]),
            ((Affine(3), GELU(), ReLU(), Affine(2)), []),
            ((Conv2d(3, 3), GELU()), []),
            ((BatchNorm(), Tanh()), []),
            ((BatchNorm(), ELU()), []),
            ((LayerNorm(), ReLU()), []),
            ((Affine(3), Dropout(), ReLU()), []),
            ((ReLU(), Affine(3)), []),
            ((), []),
        ],
    )
    def test_which_neighbours_are_joined(self, layers, kinds):
        assert [type(layer) for layer in joined_in(fused(Sequential(*layers)))] == kinds

    @pytest.mark.parametrize(
        ("layers", "order"),
        [
            ((Conv2d(3, 3), ReLU(), MaxPool2d(2)), "Conv2d MaxPool2d ReLU"),
            ((GELU(), ReLU(), MaxPool2d(2), ReLU()), "GELU MaxPool2d ReLU ReLU"),
            ((ReLU(), MaxPool2d(2)), "MaxPool2d ReLU"),
            ((BatchNorm(), ReLU(), MaxPool2d(2)), "BatchNormActivation MaxPool2d"),
            ((GELU(), MaxPool2d(2)), "GELU MaxPool2d"),
        ],
    )
    def test_max_pooling_goes_before_a_relu_that_stands_alone(self, layers, order):
        assert " ".join(type(layer).__name__ for layer in fused(Sequential(*layers)).children()) == order

    def test_it_goes_into_every_combinator_and_a_row_in_a_row_is_one(self):
        row = (Affine(3, name="a"), Sequential(ReLU(name="r"), name="inner"))
        tree = Residual(Branch(Sequential(*row), Sequential(Sequential(Residual(Sequential(*row))))), None)
        assert [(layer.name, layer.second.name) for layer in joined_in(fused(tree))] == [("a", "r")] * 2
        assert fused(Sequential(*row, name="outer")).name == "outer"

    @pytest.mark.parametrize(
        "layers", [(Affine(3), "relu"), ("affine", ReLU()), ("norm", ReLU()), (BatchNorm(), "gelu")]
    )
    def test_a_class_of_ones_own_is_left_alone(self, layers):
        class MyReLU(ReLU):
            pass

        class MyGELU(GELU):
            pass

        class MyAffine(Affine):
            pass

        class MyNorm(BatchNorm):
            pass

        own = {"relu": MyReLU(), "gelu": MyGELU(), "affine": MyAffine(3), "norm": MyNorm()}
        layers = [own.get(layer, layer) if isinstance(layer, str) else layer for layer in layers]
        assert fused(Sequential(*layers)).children() == tuple(layers)

    def test_a_combinator_of_ones_own_is_left_alone(self):
        class Twice(Sequential):
            def forward_through(self, x, run):
                out, cache = super().forward_through(x, run)
                return 2 * out, cache

        mine = Twice(Affine(3), ReLU())
        assert fused(Sequential(mine)).children() == (mine,)
        assert fused(mine) is mine

    def test_shapes_of_what_is_joined(self):
        joined = fused(Sequential(Conv2d(4, 3), ReLU(), Flatten(), Affine(7), ReLU()))
        assert joined.output_shape((3, 8, 9)) == (7,)
        assert joined.has_parameters


class TestWhatTheUserSees:
    def test_layers_names_and_summary_are_as_written(self):
        net = Network(Sequential(Conv2d(2, 3), BatchNorm(), ReLU(), Flatten(), Affine(3), ReLU()), SHAPE)
        names = [layer.name for layer, _ in net.layers.leaves(SHAPE)]
        assert names == ["conv1", "batchnorm1", "relu1", "flatten1", "affine1", "relu2"]
        assert all(name in net.summary() for name in names)
        with pytest.raises(AttributeError):
            net.layers = Sequential()

    def test_first_non_finite_names_the_layer_inside(self):
        class Culprit(ReLU):
            def forward(self, x, params, state, run):
                return x * np.nan, x

        net = Network(Sequential(Affine(4), BatchNorm(), ReLU(), Affine(3), ReLU()), 4)
        assert net.first_non_finite(images(5, 4)) is None
        net.params["batchnorm1.bias"][0] = np.nan
        before = net.state.flat.copy()
        assert net.first_non_finite(images(5, 4)) == "batchnorm1"
        np.testing.assert_array_equal(net.state.flat, before)
        assert Network(Sequential(Affine(4), Culprit()), 4).first_non_finite(images(5, 4)) == "culprit1"

    @pytest.mark.parametrize("again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])  # noqa: S301
    def test_copies(self, again, runs):
        net = experienced(NETWORKS["nested"](np.float64))
        other = again(net)
        assert_alike(numbers(other), numbers(net), 0)
        assert runs["conv2d_relu_forward"] == 2 * 2 * 2

    def test_in_another_dtype(self, runs):
        single = experienced(NETWORKS["vgg"](np.float64)).astype(np.float32)
        assert {value.dtype for value in numbers(single).values()} == {np.dtype(np.float32), np.dtype(float)}
        assert runs["batchnorm_activation_backward"] == 4

    def test_a_network_that_is_one_layer(self):
        net = Network(Affine(3), 4)
        assert net.loss(images(2, 4), np.array([0, 1]))[1].keys() == net.params.keys()
