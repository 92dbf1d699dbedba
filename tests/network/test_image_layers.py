"""The layers for images: shapes, numbers, gradients, and what they say about images that do not fit."""

from __future__ import annotations

import contextlib
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaingrad import network
from plaingrad.errors import ShapeError
from plaingrad.insight import check_gradients
from plaingrad.network import (
    GELU,
    Affine,
    AvgPool2d,
    BatchNorm,
    Branch,
    Conv2d,
    Dropout2d,
    Flatten,
    GlobalAvgPool2d,
    GroupNorm,
    MaxPool2d,
    MeanSquaredError,
    Network,
    Pass,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    Xavier,
    image_layers,
)

UNEVEN = Conv2d(4, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False)
ROWS = [
    Conv2d(3, 2),
    UNEVEN,
    Conv2d(4, 2, stride=(1, 2), padding=1, dilation=(2, 1)),
    MaxPool2d(2),
    MaxPool2d((3, 2), stride=(2, 1)),
    MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0)),
    AvgPool2d((2, 3)),
    AvgPool2d(3, stride=2, padding=1),
    GlobalAvgPool2d(),
    GroupNorm(2, eps=1e-3),
    Dropout2d(0.4),
    BatchNorm(eps=1e-3),
]

SHORTCUT = Residual(
    Sequential(Conv2d(4, 3, stride=2, padding=1), GroupNorm(2), GELU(), Conv2d(4, 1)),
    Sequential(Conv2d(4, 1, stride=2, bias=False), BatchNorm()),
)
INCEPTION = Branch(
    Conv2d(2, 1),
    Sequential(Conv2d(2, 1), GELU(), Conv2d(4, 3, padding=1)),
    MaxPool2d(3, stride=1, padding=1),
)

every_layer = pytest.mark.parametrize("layer", ROWS, ids=repr)


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_every_layer_has_a_row():
    exported = {getattr(network, name) for name in network.__all__}
    specs = {c for c in exported if inspect.isclass(c) and c.__module__ == image_layers.__name__}
    assert specs
    assert specs <= {type(layer) for layer in ROWS}


class TestGradients:
    @every_layer
    @pytest.mark.parametrize("method", ["elementwise", "projection"])
    def test_alone(self, layer, method):
        report = check_gradients(layer, images(3, 4, 5, 6), method=method)
        assert report.ok, report
        assert "x" in [row.name for row in report.rows]

    @every_layer
    def test_inside_a_network(self, layer):
        net = Network(
            Sequential(Conv2d(4, 2), layer, Tanh(), Flatten(), Affine(3)), (2, 6, 5), reg=0.3, seed=1
        )
        report = check_gradients(net, images(3, 2, 6, 5), np.array([0, 2, 1]), method="projection")
        assert report.ok, report
        assert len(report.rows) == len(net.params) + 1

    @pytest.mark.parametrize("layer", [BatchNorm(eps=1e-3), GroupNorm(2), Dropout2d(0.4)], ids=repr)
    def test_in_evaluation_mode(self, layer):
        net = Network(layer, (4, 2, 3), dtype=np.float64)
        rng = np.random.default_rng(3)
        for numbers in (net.params.flat, net.state.flat):
            numbers[:] = rng.uniform(0.5, 2, numbers.size)

        def forward(x):
            return Pass(net.params.groups, net.state.groups, train=False).forward(net.layers, x)

        def backward(dout, cache):
            return Pass(net.params.groups).backward(net.layers, dout, cache)

        report = check_gradients(forward, backward, (images(3, 4, 2, 3),))
        assert report.ok, report

    @pytest.mark.parametrize(
        "layers",
        [
            Residual(Sequential(Conv2d(3, 3, padding=1, bias=False), BatchNorm(), Tanh())),
            SHORTCUT,
            INCEPTION,
            Sequential(Branch(Conv2d(4, 3, stride=2), AvgPool2d(3, stride=2)), Dropout2d(0.3), Conv2d(3, 1)),
            Branch(Conv2d(4, 2), Sequential(Tanh(), Conv2d(4, 2)), join="add"),
        ],
        ids=["residual", "residual with a shortcut", "inception", "side by side", "added"],
    )
    def test_of_combinations(self, layers):
        report = check_gradients(Sequential(layers, ReLU(), GlobalAvgPool2d()), images(2, 3, 5, 4))
        assert report.ok, report
        assert {row.name.split(".")[-1] for row in report.rows} >= {"weight", "x"}

    def test_of_one_convolution_on_images_of_several_sizes(self):
        """Two uses add up, and neither knows of the other's size."""
        twin = Conv2d(3, 3, padding=1, name="twin")
        shared = Network(
            Sequential(twin, Tanh(), MaxPool2d(2), twin, Tanh(), GlobalAvgPool2d()),
            (3, 6, 4),
            dtype=np.float64,
        )
        apart = Network(
            Sequential(
                Conv2d(3, 3, padding=1),
                Tanh(),
                MaxPool2d(2),
                Conv2d(3, 3, padding=1),
                Tanh(),
                GlobalAvgPool2d(),
            ),
            (3, 6, 4),
            dtype=np.float64,
        )
        assert list(shared.params) == ["twin.weight", "twin.bias"]
        apart.params = {
            f"conv{i}.{name}": shared.params[f"twin.{name}"] for i in (1, 2) for name in ("weight", "bias")
        }
        X, y = images(2, 3, 6, 4), np.array([2, 0])
        loss, grads = shared.loss(X, y)
        other_loss, others = apart.loss(X, y)
        assert loss == other_loss
        for name in ("weight", "bias"):
            added = others[f"conv1.{name}"] + others[f"conv2.{name}"]
            np.testing.assert_allclose(grads[f"twin.{name}"], added, rtol=1e-12)
        report = check_gradients(shared, X, y)
        assert report.ok, report

    @given(
        chosen=st.lists(st.sampled_from([*ROWS, GELU(), INCEPTION, SHORTCUT]), min_size=1, max_size=5),
        n=st.integers(2, 3),
        size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
        channels_last=st.booleans(),
    )
    def test_of_any_stack_are_pytorchs(self, chosen, n, size, channels_last):
        """Layers that do not fit the image any more, or whose randomness is their own, are left out."""
        pytest.importorskip("torch", reason="PyTorch is not installed")
        from .pytorch import assert_agrees

        layers, shape = [], (3, *size)
        for layer in chosen:
            with contextlib.suppress(ShapeError):
                if not isinstance(layer, Dropout2d):
                    shape = layer.output_shape(shape)
                    layers.append(layer)
        net = Network(Sequential(*layers, Flatten(), Affine(3)), (3, *size), dtype=np.float64, seed=n)
        net.params.flat += 0.3 * np.random.default_rng(5).standard_normal(net.params.flat.size)
        X = images(n, *size, 3).transpose(0, 3, 1, 2) if channels_last else images(n, 3, *size)
        assert_agrees(net, X, np.arange(n))


SHAPES = [
    (Conv2d(6, 5), (3, 32, 32), (6, 28, 28)),
    (Conv2d(8, 3, padding=1), (3, 7, 5), (8, 7, 5)),
    (Conv2d(8, 3, stride=2, padding=1), (3, 7, 8), (8, 4, 4)),
    (Conv2d(8, (1, 3), stride=(3, 2), padding=(0, 1), dilation=(1, 2)), (3, 7, 9), (8, 3, 4)),
    (Conv2d(6, 3, groups=3), (9, 5, 4), (6, 3, 2)),
    (Conv2d(2, (5, 4)), (1, 5, 4), (2, 1, 1)),
    (Conv2d(2, 2, stride=5), (1, 4, 3), (2, 1, 1)),
    (UNEVEN, (2, 6, 3), (4, 3, 5)),
    (MaxPool2d(2), (3, 7, 5), (3, 3, 2)),
    (MaxPool2d(3, stride=2, padding=1), (3, 7, 8), (3, 4, 4)),
    (MaxPool2d((2, 3), stride=(1, 2)), (3, 7, 8), (3, 6, 3)),
    (AvgPool2d((2, 3)), (3, 7, 8), (3, 3, 2)),
    (AvgPool2d(3, stride=2, padding=1), (1, 2, 1), (1, 1, 1)),
    (GlobalAvgPool2d(), (5, 7, 3), (5,)),
    (GroupNorm(2), (4, 3, 2), (4, 3, 2)),
    (Dropout2d(0.4), (4, 3, 2), (4, 3, 2)),
    (BatchNorm(), (4, 3, 2), (4, 3, 2)),
]


@pytest.mark.parametrize(("layer", "shape", "expected"), SHAPES, ids=repr)
def test_output_shape(layer, shape, expected):
    net = Network(layer, shape)
    assert net.output_shape == expected
    scores = net.scores(images(2, *shape))
    assert scores.shape == (2, *expected)
    assert scores.dtype == np.float32


class TestParameters:
    def test_names_and_shapes(self):
        net = Network(
            Sequential(
                Conv2d(6, (3, 2)),
                MaxPool2d(2),
                Conv2d(4, 1, groups=2, bias=False),
                BatchNorm(),
                AvgPool2d(2),
                GroupNorm(2),
                Dropout2d(),
                Conv2d(4, 1, name="last"),
                MaxPool2d(1),
                GlobalAvgPool2d(),
            ),
            (3, 12, 12),
        )
        assert [layer.name for layer, _ in net.layers.leaves(net.input_shape)] == [
            "conv1",
            "maxpool1",
            "conv2",
            "batchnorm1",
            "avgpool1",
            "groupnorm1",
            "dropout1",
            "last",
            "maxpool2",
            "globalavgpool1",
        ]
        assert {name: value.shape for name, value in net.params.items()} == {
            "conv1.weight": (6, 3, 3, 2),
            "conv1.bias": (6,),
            "conv2.weight": (4, 3, 1, 1),
            "batchnorm1.weight": (4,),
            "batchnorm1.bias": (4,),
            "groupnorm1.weight": (4,),
            "groupnorm1.bias": (4,),
            "last.weight": (4, 4, 1, 1),
            "last.bias": (4,),
        }
        assert {name: value.shape for name, value in net.state.items()} == {
            "batchnorm1.running_mean": (4,),
            "batchnorm1.running_var": (4,),
        }
        net.params.flat[:] = 0
        net.params.flat[: net.params.size_first] = 1
        assert {n for n, v in net.params.items() if v.all()} == {
            "conv1.weight",
            "conv2.weight",
            "last.weight",
        }

    def test_initial_values(self):
        """Variance 2/fan_in, where a filter of two groups sees half of the channels; five standard errors."""
        net = Network(Sequential(Conv2d(64, (3, 5), groups=2), BatchNorm(), GroupNorm(4)), (32, 4, 6))
        weight = net.params["conv1.weight"]
        assert weight.var() == pytest.approx(2 / (16 * 15), rel=5 * np.sqrt(2 / weight.size))
        assert not any(net.params[f"{layer}.bias"].any() for layer in ("conv1", "batchnorm1", "groupnorm1"))
        assert all((net.params[f"{layer}.weight"] == 1).all() for layer in ("batchnorm1", "groupnorm1"))

    def test_fans_of_a_convolution(self):
        """A unit has the inputs of its window; an input feeds all filters of its group, at every cell."""
        told = []

        def told_fans(rng, shape, fan_in, fan_out):
            told.append((fan_in, fan_out))
            return Xavier()(rng, shape, fan_in, fan_out)

        Network(Conv2d(8, (3, 2), groups=2, weight_init=told_fans), (4, 5, 5))
        assert told == [(2 * 6, 4 * 6)]


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Conv2d(6, 5), (3, 32, 32), 28 * 28 * 6 * 75),
        (Conv2d(8, 3, stride=2, padding=1, bias=False), (3, 7, 8), 4 * 4 * 8 * 27),
        (Conv2d(6, 3, groups=3), (9, 5, 4), 3 * 2 * 6 * 27),
        (UNEVEN, (2, 6, 3), 3 * 5 * 4 * 6),
        (MaxPool2d(2), (3, 8, 8), 0),
    ],
    ids=repr,
)
def test_multiply_adds(layer, shape, expected):
    assert layer.multiply_adds(shape) == expected


class TestNormalization:
    def test_running_statistics_are_over_batch_and_pixels(self):
        net = Network(BatchNorm(momentum=0.8), (3, 4, 5), dtype=np.float64, objective=MeanSquaredError())
        mean, variance = np.zeros(3), np.ones(3)
        for seed in (1, 2):
            batch = images(6, 3, 4, 5, seed=seed) * [[[1.0]], [[2]], [[3]]] + [[[5.0]], [[0]], [[-1]]]
            net.loss(batch, np.zeros_like(batch))
            of_channels = batch.transpose(1, 0, 2, 3).reshape(3, -1)
            mean = 0.8 * mean + 0.2 * of_channels.mean(axis=1)
            variance = 0.8 * variance + 0.2 * of_channels.var(axis=1)
        np.testing.assert_allclose(net.state["batchnorm1.running_mean"], mean, rtol=1e-12)
        np.testing.assert_allclose(net.state["batchnorm1.running_var"], variance, rtol=1e-12)

        along = (1, 3, 1, 1)
        expected = (batch - mean.reshape(along)) / np.sqrt(variance.reshape(along) + 1e-5)
        np.testing.assert_allclose(net.scores(batch), expected, rtol=1e-10)
        np.testing.assert_allclose(net.scores(batch[:1]), net.scores(batch)[:1], rtol=1e-12)

    @pytest.mark.parametrize("groups", [1, 2, 4])
    def test_groups_of_channels_of_each_image(self, groups):
        net = Network(GroupNorm(groups, eps=0.1), (4, 3, 5), dtype=np.float64)
        batch = 2 + 3 * images(6, 4, 3, 5)
        rows = batch.reshape(6 * groups, -1)
        expected = (rows - rows.mean(axis=1, keepdims=True)) / np.sqrt(rows.var(axis=1, keepdims=True) + 0.1)
        np.testing.assert_allclose(net.scores(batch), expected.reshape(batch.shape), rtol=1e-10)
        assert not net.state


class TestDropout2d:
    def out(self, *, train: bool, step: int = 0) -> np.ndarray:
        run = Pass({}, train=train, seed=(0, step))
        return run.forward(Dropout2d(0.3, name="dropout1"), np.ones((50, 20, 2, 3)))[0]

    def test_drops_whole_channels_and_scales_the_others(self):
        """The share dropped is within five standard errors of the rate."""
        channels = self.out(train=True).reshape(1000, 6)
        assert (channels == channels[:, :1]).all()
        assert set(channels[:, 0]) == {0, 1 / 0.7}
        assert np.mean(channels[:, 0] == 0) == pytest.approx(0.3, abs=5 * np.sqrt(0.3 * 0.7 / 1000))

    def test_the_step_decides_which(self):
        np.testing.assert_array_equal(self.out(train=True), self.out(train=True))
        assert (self.out(train=True) != self.out(train=True, step=1)).any()

    def test_evaluation_drops_nothing(self):
        assert (self.out(train=False) == 1).all()


@pytest.mark.parametrize("layer", [MaxPool2d(2), MaxPool2d(2, stride=3, padding=1)], ids=repr)
def test_of_equal_values_the_first_has_the_gradient(layer):
    run = Pass({})
    out, cache = run.forward(layer, np.ones((1, 1, 4, 4)))
    dx = run.backward(layer, np.ones_like(out), cache)
    np.testing.assert_array_equal(np.argwhere(dx[0, 0]), [(0, 0), (0, 2), (2, 0), (2, 2)])


def test_global_average_is_the_mean_of_each_channel():
    batch = images(2, 3, 4, 5)
    net = Network(GlobalAvgPool2d(), (3, 4, 5), dtype=np.float64)
    np.testing.assert_allclose(net.scores(batch), batch.reshape(2, 3, 20).mean(axis=2), rtol=1e-12)


class TestComplaints:
    @pytest.mark.parametrize(
        ("layers", "shape", "words"),
        [
            (
                Sequential(Conv2d(4, 3), ReLU(), Conv2d(4, 5)),
                (3, 6, 8),
                "conv2: .*5×5 pixels does not fit the image of 4×6, 4×6 with its padding: make the window smaller",
            ),
            (Conv2d(4, 3, padding=1, dilation=3), (3, 4, 9), "conv1: .*7×7 .* image of 4×9, 6×11 with"),
            (Sequential(MaxPool2d(2), MaxPool2d(2)), (3, 3, 3), "maxpool2: .*2×2 .* image of 1×1"),
            (AvgPool2d((1, 4)), (3, 8, 3), "avgpool1: .*1×4 .* image of 8×3"),
            (
                Sequential(Conv2d(4, 1), Conv2d(6, 1, groups=3)),
                (3, 4, 4),
                "conv2: 4 channels do not divide into 3 groups",
            ),
            (Sequential(Conv2d(4, 1), GroupNorm(3)), (3, 4, 4), "groupnorm1: 4 channels .* 3 groups"),
            (
                Sequential(Flatten(), Conv2d(4, 3)),
                (3, 4, 4),
                r"conv1 expects images \(C, H, W\), got samples of shape \(48,\): put it before Flatten\(\)",
            ),
            (MaxPool2d(2), (3,), r"maxpool1 expects images .* \(3,\)"),
            (GlobalAvgPool2d(), (3, 4), r"globalavgpool1 expects images .* \(3, 4\)"),
            (GroupNorm(1), (3,), r"groupnorm1 expects images .* \(3,\)"),
            (Dropout2d(), (3,), r"dropout1 expects images .* \(3,\): use Dropout\(\)"),
            (
                Sequential(Conv2d(4, 3), Affine(5)),
                (3, 8, 8),
                r"affine1 expects rows of features, got samples of shape \(4, 6, 6\): put Flatten\(\) before it",
            ),
            (BatchNorm(), (3, 4), r"batchnorm1 expects features \(D,\) or images \(C, H, W\), .*\(3, 4\)"),
            (
                Residual(Conv2d(3, 3)),
                (3, 8, 8),
                r"residual1 adds its body's output \(3, 6, 6\) to its shortcut's \(3, 8, 8\)",
            ),
            (
                Branch(Conv2d(3, 3), Conv2d(3, 1)),
                (3, 8, 8),
                r"branch1: .* \(3, 6, 6\), \(3, 8, 8\) do not stand side by side",
            ),
            (
                Sequential(Conv2d(3, 3, name="twin"), Conv2d(4, 1), Conv2d(3, 3, name="twin")),
                (3, 8, 8),
                "two layers are called 'twin'.*rename one",
            ),
        ],
    )
    def test_images_that_do_not_fit(self, layers, shape, words):
        with pytest.raises(ShapeError, match=words):
            Network(layers, shape)

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda: Conv2d(0, 3), "conv: filters must be a whole number, 1 or more, got 0"),
            (lambda: Conv2d(-2, 3, name="stem"), "stem: filters must be a whole number, 1 or more, got -2"),
            (lambda: Conv2d(2.5, 3), "conv: filters .* got 2.5"),
            (lambda: Conv2d(4, 0), "conv: size must be a whole number, 1 or more, or two of them, got 0"),
            (lambda: Conv2d(4, (3, -1)), r"conv: size .* got \(3, -1\)"),
            (lambda: Conv2d(4, 3, stride=0), "conv: stride must be a whole number, 1 or more, .* got 0"),
            (lambda: Conv2d(4, 3, padding=-1), "conv: padding must be a whole number, 0 or more, .* got -1"),
            (lambda: Conv2d(4, 3, dilation=(1, 0)), r"conv: dilation .* got \(1, 0\)"),
            (lambda: Conv2d(4, 3, groups=0), "conv: groups must be a whole number, 1 or more, got 0"),
            (lambda: Conv2d(4, 3, groups=3), "conv: 4 filters do not divide into 3 groups"),
            (lambda: MaxPool2d(0), "maxpool: window must be a whole number, 1 or more, .* got 0"),
            (lambda: MaxPool2d(2, stride=-1, name="shrink"), "shrink: stride .* got -1"),
            (lambda: AvgPool2d(2, stride=0), "avgpool: stride .* got 0"),
            (lambda: AvgPool2d(3, padding=2), r"avgpool: padding \(2, 2\) is more than half of .* \(3, 3\)"),
            (lambda: GroupNorm(0), "groupnorm: groups must be a whole number, 1 or more, got 0"),
        ],
    )
    def test_hyperparameters_that_make_no_layer(self, make, words):
        with pytest.raises(ShapeError, match=words):
            make()

    def test_a_picture_of_another_size(self):
        net = Network(Sequential(Conv2d(4, 3), GlobalAvgPool2d()), (3, 8, 8))
        with pytest.raises(ShapeError, match=r"expects X of shape \(N, 3, 8, 8\), got \(2, 3, 9, 8\)"):
            net.scores(images(2, 3, 9, 8))
        with pytest.raises(ShapeError, match=r"\(N, 3, 8, 8\), got \(3, 8, 8\)"):
            net.scores(images(3, 8, 8))

    def test_images_at_the_end_of_a_network_need_flatten(self):
        net = Network(Conv2d(4, 3), (3, 8, 8))
        with pytest.raises(ShapeError, match=r"\(2, 4, 6, 6\): put Flatten\(\) before its end"):
            net.loss(images(2, 3, 8, 8), np.array([0, 1]))
