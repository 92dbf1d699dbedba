"""The named convolutional networks: what they are made of, and that PyTorch trains them as we do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from plaingrad import ops, plain
from plaingrad.errors import RecipeError, ShapeError
from plaingrad.insight import check_gradients
from plaingrad.kernels import numpy_conv, numpy_pool
from plaingrad.network import (
    VGG,
    FastNet,
    FourConvNet,
    LeNet,
    MeanSquaredError,
    NegativeLogLikelihood,
    Network,
    Normal,
    ResNet,
    ThreeLayerConvNet,
)
from plaingrad.optim import Momentum
from plaingrad.optimizer import Optimizer

# Each as small as it can be: narrow, and of images that are not square.
SMALL: dict[str, Callable[[], Network]] = {
    "lenet": lambda: LeNet(input_shape=(1, 16, 20), classes=4, dtype=np.float64),
    "lenet, batchnorm": lambda: LeNet(
        input_shape=(2, 20, 16), classes=4, normalization="batchnorm", dtype=np.float64
    ),
    "lenet, log-softmax": lambda: LeNet(
        input_shape=(1, 16, 16),
        classes=4,
        log_softmax=True,
        objective=NegativeLogLikelihood(),
        dtype=np.float64,
    ),
    "four convolutions": lambda: FourConvNet(3, input_shape=(2, 16, 20), classes=4, dtype=np.float64),
    "four convolutions, shared": lambda: FourConvNet(
        3, shared=True, input_shape=(2, 16, 20), classes=4, dtype=np.float64
    ),
    "three layers": lambda: ThreeLayerConvNet(
        3, 5, 7, std=0.3, input_shape=(2, 6, 8), classes=4, dtype=np.float64
    ),
    "vgg": lambda: VGG((3, 4), input_shape=(3, 8, 10), classes=4, dtype=np.float64),
    "resnet 8": lambda: ResNet(8, widths=(2, 3, 4), input_shape=(3, 8, 9), classes=4, dtype=np.float64),
    "resnet 20": lambda: ResNet(widths=(2, 3, 4), input_shape=(3, 9, 8), classes=4, dtype=np.float64),
    "fastnet": lambda: FastNet((3, 4), stem=2, input_shape=(3, 13, 14), classes=4, dtype=np.float64),
}

every_network = pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def layer_names(net: Network) -> list[str]:
    return [layer.name for layer, _ in net.layers.leaves(net.input_shape)]


def experienced(net: Network) -> Network:
    """`net` with no parameter at a special value, such as γ = 1, and with running statistics."""
    net.params.flat += 0.1 * images(net.params.flat.size, seed=1)
    net.state.flat[:] = np.random.default_rng(2).uniform(0.5, 2, net.state.flat.size)
    return net


class TestArchitectures:
    """Numbers of parameters and multiply-adds are counted by hand, or published."""

    def test_lenet(self):
        net = LeNet(input_shape=(1, 32, 32))
        assert layer_names(net) == [
            *("conv1", "relu1", "maxpool1", "conv2", "relu2", "maxpool2", "flatten1"),
            *("affine1", "relu3", "affine2", "relu4", "affine3"),
        ]
        assert {name: value.shape for name, value in net.params.items()} == {
            "conv1.weight": (6, 1, 5, 5),
            "conv1.bias": (6,),
            "conv2.weight": (16, 6, 5, 5),
            "conv2.bias": (16,),
            "affine1.weight": (400, 120),
            "affine1.bias": (120,),
            "affine2.weight": (120, 84),
            "affine2.bias": (84,),
            "affine3.weight": (84, 10),
            "affine3.bias": (10,),
        }
        assert net.params.flat.size == 61_706
        assert LeNet().params.flat.size == 62_006

    def test_lenet_normalized_and_in_log_probabilities(self):
        net = LeNet(normalization="batchnorm", log_softmax=True, classes=7)
        assert layer_names(net) == [
            *("conv1", "batchnorm1", "relu1", "maxpool1", "conv2", "batchnorm2", "relu2", "maxpool2"),
            *("flatten1", "affine1", "relu3", "affine2", "relu4", "affine3", "logsoftmax1"),
        ]
        np.testing.assert_allclose(np.exp(net.scores(images(2, 3, 32, 32))).sum(axis=1), 1, rtol=1e-6)

    @pytest.mark.parametrize(
        ("shape", "features"), [((3, 28, 40), 16 * 4 * 7), ((1, 28, 28), 256), ((2, 16, 19), 16)]
    )
    def test_lenet_on_images_of_other_sizes(self, shape, features):
        net = LeNet(input_shape=shape)
        assert net.params["affine1.weight"].shape == (features, 120)
        assert net.scores(images(2, *shape)).shape == (2, 10)

    def test_four_convolutions(self):
        apart, shared = FourConvNet(), FourConvNet(shared=True)
        assert layer_names(apart) == [
            *("conv1", "conv2", "relu1", "maxpool1", "conv3", "conv4", "relu2", "maxpool2"),
            *("flatten1", "affine1"),
        ]
        assert [name for name in layer_names(shared) if "conv" in name or name == "shared"] == [
            *("conv1", "shared", "shared", "shared")
        ]
        assert apart.params.flat.size == 36_650
        assert shared.params.flat.size == 36_650 - 2 * 9_248

    def test_three_layers(self):
        net = ThreeLayerConvNet()
        assert layer_names(net) == ["conv1", "relu1", "maxpool1", "flatten1", "affine1", "relu2", "affine2"]
        assert net.params.flat.size == 825_046
        loss, _ = net.loss(images(20, 3, 32, 32), np.arange(20) % 10)
        assert loss == pytest.approx(np.log(10), abs=1e-3), "weights of 10⁻³ leave all scores near 0"

    def test_vgg(self):
        net = VGG((5, 7), depth=3, input_shape=(3, 8, 8))
        block = ["conv", "batchnorm", "relu"] * 3 + ["maxpool"]
        assert [name.rstrip("0123456789") for name in layer_names(net)] == [*block * 2, "flatten", "affine"]
        assert [w.shape[0] for name, w in net.params.items() if name.startswith("conv")] == [5, 5, 5, 7, 7, 7]
        assert VGG().params.flat.size == 307_946

    def test_resnet(self):
        """With the identity for a shortcut the paper's has 0.27 million parameters and 40.55 multiply-adds.

        Two projections are 2,752 parameters and 2 · 131,072 multiply-adds more.
        """
        net = ResNet()
        work = sum(layer.multiply_adds(shape) for layer, shape in net.layers.leaves(net.input_shape))
        assert net.params.flat.size == 269_722 + 2_752
        assert work == 40_551_040 + 2 * 131_072
        assert sum("conv" in name for name in layer_names(net)) == 19 + 2
        seen = {layer.name: shape for layer, shape in net.layers.leaves(net.input_shape)}
        assert seen["globalavgpool1"] == (64, 8, 8)
        assert layer_names(ResNet(8, widths=(4, 5)))[3:17] == [
            *("conv2", "batchnorm2", "relu2", "conv3", "batchnorm3", "relu3"),
            *("conv4", "batchnorm4", "relu4", "conv5", "batchnorm5", "conv6", "batchnorm6", "relu5"),
        ]

    @pytest.mark.parametrize("make", [VGG, ResNet, FastNet])
    def test_a_network_has_a_stage(self, make):
        with pytest.raises(RecipeError, match=f"{make.__name__}: widths must be a list .* at least one"):
            make(widths=())

    @pytest.mark.parametrize("depth", [-4, 0, 2, 18, 21])
    def test_resnet_of_a_depth_that_makes_no_stages(self, depth):
        with pytest.raises(ValueError, match=rf"depth must be 6n \+ 2, such as 20, 32 or 44, got {depth}$"):
            ResNet(depth)

    def test_fastnet(self):
        net = FastNet()
        block = ["conv", "maxpool", "batchnorm", "gelu", "conv", "batchnorm", "gelu"]
        assert [name.rstrip("0123456789") for name in layer_names(net)] == [
            *("conv", "gelu", *block * 3, "maxpool", "flatten", "affine")
        ]
        assert net.params["conv1.weight"].shape == (24, 3, 2, 2)
        assert net.params.flat.size == 1_972_802

    def test_settings_are_passed_on(self):
        for make in (LeNet, FourConvNet, ThreeLayerConvNet, VGG, ResNet, FastNet):
            net = make(classes=3, reg=0.1, seed=5, dtype=np.float64, objective=MeanSquaredError())
            assert (net.reg, net.seed, net.dtype, net.objective) == (0.1, 5, np.float64, MeanSquaredError())
            assert net.output_shape == (3,)

    @pytest.mark.parametrize("make", [LeNet, FourConvNet])
    def test_initial_weights_are_chosen(self, make):
        net = make(weight_init=Normal(0.0), seed=1)
        assert not net.params.flat.any()

    def test_normalization_is_one_of_those_there_are(self):
        with pytest.raises(ValueError, match="normalization must be \"batchnorm\" or None, got 'batch'"):
            LeNet(normalization="batch")

    @pytest.mark.parametrize(
        ("make", "shape", "words"),
        [
            (LeNet, (3, 15, 32), "maxpool2: .*2×2 .* image of 1×10"),
            (LeNet, (1, 8, 8), "conv2: .*5×5 .* image of 2×2"),
            (FourConvNet, (3, 32, 15), "maxpool2: .*2×2 .* image of 10×1"),
            (ThreeLayerConvNet, (3, 1, 1), "maxpool1: .*2×2 .* image of 1×1"),
            (VGG, (3, 7, 7), "maxpool3: .*2×2 .* image of 1×1"),
            (FastNet, (3, 24, 32), "maxpool4: .*3×3 .* image of 2×3"),
            (ResNet, (3, 32), r"conv1 expects images \(C, H, W\), got samples of shape \(3, 32\)"),
        ],
    )
    def test_images_that_are_too_small(self, make, shape, words):
        with pytest.raises(ShapeError, match=words):
            make(input_shape=shape)

    def test_resnet_takes_images_of_any_size(self):
        assert ResNet(8, input_shape=(1, 1, 3)).scores(images(2, 1, 1, 3)).shape == (2, 10)

    def test_a_built_network_takes_images_of_its_size(self):
        with pytest.raises(ShapeError, match=r"\(N, 1, 32, 32\), got \(2, 1, 30, 30\)"):
            LeNet(input_shape=(1, 32, 32)).loss(images(2, 1, 30, 30), np.array([0, 1]))


class TestGradients:
    @every_network
    @pytest.mark.parametrize("n", [1, 3])
    def test_by_differences(self, make, n):
        net = experienced(make())
        X, y = images(n, *net.input_shape), np.array([2, 0, 3])[:n]
        report = check_gradients(net, X, y, method="projection")
        assert report.ok, report
        assert len(report.rows) == len(net.params) + 1

    @every_network
    @pytest.mark.parametrize("n", [1, 3])
    def test_are_pytorchs(self, make, n):
        pytest.importorskip("torch", reason="PyTorch is not installed")
        from .pytorch import assert_agrees

        net = experienced(make())
        assert_agrees(net, images(n, *net.input_shape), np.array([2, 0, 3])[:n])

    def test_of_a_shared_weight_is_the_sum_over_its_uses(self):
        apart, shared = SMALL["four convolutions"](), experienced(SMALL["four convolutions, shared"]())
        uses = ("conv2", "conv3", "conv4")
        own = {name: value for name, value in shared.params.items() if not name.startswith("shared")}
        apart.params = own | {
            f"{use}.{name}": shared.params[f"shared.{name}"] for use in uses for name in ("weight", "bias")
        }
        X, y = images(3, *apart.input_shape), np.array([2, 0, 3])
        loss, grads = shared.loss(X, y)
        other_loss, others = apart.loss(X, y)
        assert loss == other_loss
        for name in ("weight", "bias"):
            added = sum(others[f"{use}.{name}"] for use in uses)
            np.testing.assert_allclose(grads[f"shared.{name}"], added, rtol=1e-12)

    def test_a_step_of_lenet_lowers_the_squared_error(self):
        net = LeNet(input_shape=(1, 32, 32), objective=MeanSquaredError())
        X, y = images(4, 1, 32, 32), np.arange(4)
        loss, grads = net.loss(X, y)
        net.params.flat -= 0.01 * grads.flat
        assert net.loss(X, y)[0] < loss


@pytest.fixture
def kernels_run(monkeypatch) -> set[str]:
    """The names of the functions of `ops` whose kernels have run."""
    names = set()

    def counted(name, kernel):
        def run(*args, **keywords):
            names.add(name)
            return kernel(*args, **keywords)

        return run

    for name, function in vars(ops).items():
        if isinstance(function, ops.Formula):
            counting = [(accepts, counted(name, kernel)) for accepts, kernel in function.kernels]
            monkeypatch.setattr(function, "kernels", counting)
    return names


def numbers(net: Network, X: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Scores, loss, gradients, and the state that training leaves."""
    scores = net.scores(X)
    loss, grads, dx = net.loss_and_gradients(X, y, needs_dx=True)
    return [scores, np.array(loss), grads.flat, dx, net.state.flat]


class TestKernels:
    @every_network
    @pytest.mark.parametrize("large", [False, True], ids=["as they are", "as on large batches"])
    @pytest.mark.parametrize("order", ["channels first", "channels last"])
    def test_compute_what_the_formulas_say(self, make, large, order, kernels_run, monkeypatch):
        if large:  # blocks and threads, which small arrays are spared
            monkeypatch.setattr(numpy_conv, "_SMALL", 0)
            monkeypatch.setattr(numpy_conv, "_PATCHES", 1000)
            monkeypatch.setattr(numpy_pool, "_SMALL", 0)
        net = experienced(make())
        X, y = images(3, *net.input_shape), np.array([2, 0, 3])
        with plain():
            expected = numbers(net, X, y)
        assert not kernels_run
        if order == "channels last":
            X = np.ascontiguousarray(X.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        for got, wanted in zip(numbers(experienced(make()), X, y), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)
        with_kernels = {"conv": "conv2d", "maxpool": "max_pool2d", "batchnorm": "batchnorm"}
        functions = {op for kind, op in with_kernels.items() if f"{kind}1" in layer_names(net)}
        assert kernels_run >= {f"{op}_{side}" for op in functions for side in ("forward", "backward")}


def batches(net: Network, n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Twenty batches of images, each its class's own pattern and noise."""
    rng = np.random.default_rng(1)
    patterns = rng.standard_normal((10, *net.input_shape))
    for _ in range(20):
        y = rng.integers(10, size=n)
        yield (patterns[y] + 0.1 * rng.standard_normal((n, *net.input_shape))).astype(net.dtype), y


def losses_of_training(net: Network, n: int, lr: float) -> list[float]:
    optimizer, losses = Optimizer(Momentum(lr), net.params), []
    for X, y in batches(net, n):
        loss, grads = net.loss(X, y)
        optimizer.step(net.params, grads, lr)
        losses.append(loss)
    return losses


@pytest.mark.parametrize("make", [ResNet, FastNet])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-9)], ids=["float32", "float64"]
)
def test_training_is_pytorchs(make, dtype, tolerance):
    """The first twenty losses, from the same weights on the same batches, are the same.

    Where two pixels of a pool, or a unit and its kink, are as close as rounding, the gradient takes
    another way, and single precision meets such places at every few steps: it takes small steps here,
    on which they matter little.  Double precision does not meet them, and takes steps of the usual size.
    """
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from .pytorch import InPyTorch

    n, lr = (4, 0.01) if dtype == np.float64 else {ResNet: (32, 2e-4), FastNet: (16, 3e-5)}[make]
    net = make(seed=2, dtype=dtype)
    theirs = InPyTorch(net).train(batches(net, n), lr=lr, momentum=0.9)
    ours = losses_of_training(net, n, lr)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
    for losses in (ours, theirs):
        assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.2
