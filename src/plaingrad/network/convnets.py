"""The named convolutional networks.

Each takes `input_shape` (C, H, W) and `classes`, and the settings of Network: reg, objective, seed, dtype, rng.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from plaingrad.errors import RecipeError, ShapeError, require_count
from plaingrad.network.combinators import Residual, Sequential
from plaingrad.network.image_layers import Conv2d, GlobalAvgPool2d, MaxPool2d
from plaingrad.network.initializers import He, Initializer, Normal
from plaingrad.network.layer import Layer, Shape
from plaingrad.network.layers import GELU, Affine, Flatten, LogSoftmax, ReLU
from plaingrad.network.network import Network
from plaingrad.network.normalization_layers import BatchNorm


class LeNet(Network):
    """conv 6 5×5 – ReLU – pool 2 – conv 16 5×5 – ReLU – pool 2 – affine 120 – ReLU – 84 – ReLU – classes.

    normalization: "batchnorm" puts a batch normalisation after each convolution.  log_softmax: end in
    log-probabilities, for the negative log-likelihood.  Images must be 16×16 at least.
    Source: LeCun, Bottou, Bengio & Haffner 1998, figure 2, with ReLU and max-pooling.
    """

    def __init__(
        self,
        *,
        input_shape: Shape = (3, 32, 32),
        classes: int = 10,
        normalization: Literal["batchnorm"] | None = None,
        log_softmax: bool = False,
        weight_init: Initializer | None = None,
        **settings: Any,
    ) -> None:
        if normalization not in (None, "batchnorm"):
            raise ValueError(f'LeNet: normalization must be "batchnorm" or None, got {normalization!r}')
        init = weight_init or He()
        layers: list[Layer] = []
        for filters in (6, 16):
            layers.append(Conv2d(filters, 5, weight_init=init))
            if normalization:
                layers.append(BatchNorm())
            layers += [ReLU(), MaxPool2d(2)]
        layers.append(Flatten())
        for units in (120, 84):
            layers += [Affine(units, weight_init=init), ReLU()]
        layers.append(Affine(classes, weight_init=init))
        if log_softmax:
            layers.append(LogSoftmax())
        super().__init__(Sequential(*layers), input_shape, **settings)


class FourConvNet(Network):
    """Twice {conv 3×3 – conv 3×3 – ReLU – pool 2}, `filters` wide, then affine.

    shared: the second, third and fourth convolution are one, with one weight whose gradients add up.
    """

    def __init__(
        self,
        filters: int = 32,
        *,
        shared: bool = False,
        input_shape: Shape = (3, 32, 32),
        classes: int = 10,
        weight_init: Initializer | None = None,
        **settings: Any,
    ) -> None:
        init = weight_init or He()

        def conv(name: str = "") -> Conv2d:
            return Conv2d(filters, 3, weight_init=init, name=name)

        def other() -> Conv2d:
            return conv("shared" if shared else "")

        layers = Sequential(
            conv(),
            other(),
            ReLU(),
            MaxPool2d(2),
            other(),
            other(),
            ReLU(),
            MaxPool2d(2),
            Flatten(),
            Affine(classes, weight_init=init),
        )
        super().__init__(layers, input_shape, **settings)


class ThreeLayerConvNet(Network):
    """conv – ReLU – pool 2 – affine – ReLU – affine: the course's first convolutional network.

    The convolution keeps the size of the image (for an odd `size`); weights are normal with standard
    deviation `std`.
    """

    def __init__(
        self,
        filters: int = 32,
        size: int = 7,
        hidden: int = 100,
        *,
        std: float = 1e-3,
        input_shape: Shape = (3, 32, 32),
        classes: int = 10,
        **settings: Any,
    ) -> None:
        init = Normal(std)
        layers = Sequential(
            Conv2d(filters, size, padding=(size - 1) // 2, weight_init=init),
            ReLU(),
            MaxPool2d(2),
            Flatten(),
            Affine(hidden, weight_init=init),
            ReLU(),
            Affine(classes, weight_init=init),
        )
        super().__init__(layers, input_shape, **settings)


class VGG(Network):
    """For each of `widths`: `depth` × {conv 3×3 – batch norm – ReLU}, then pool 2; at the end affine.

    Source: Simonyan & Zisserman 2015, arXiv:1409.1556, made small, with batch normalisation.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        *,
        depth: int = 2,
        input_shape: Shape = (3, 32, 32),
        classes: int = 10,
        **settings: Any,
    ) -> None:
        _require_some("VGG: widths", widths)
        require_count("VGG: depth", depth, 1)
        layers: list[Layer] = []
        for width in widths:
            for _ in range(depth):
                layers += [_same(width), BatchNorm(), ReLU()]
            layers.append(MaxPool2d(2))
        layers += [Flatten(), Affine(classes)]
        super().__init__(Sequential(*layers), input_shape, **settings)


class ResNet(Network):
    """The residual network for small images: a convolution, three stages of blocks, a global mean, affine.

    depth: 6n + 2, for n blocks of two convolutions in each stage: 20, 32, 44, 56, ...  widths: of the
    stages, three for a network of that depth.  Each stage after the first begins by halving the image;
    there the shortcut is a 1×1 convolution with batch normalisation (the paper's option B).
    Source: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, section 4.2.
    """

    def __init__(
        self,
        depth: int = 20,
        *,
        widths: Sequence[int] = (16, 32, 64),
        input_shape: Shape = (3, 32, 32),
        classes: int = 10,
        **settings: Any,
    ) -> None:
        _require_some("ResNet: widths", widths)
        blocks, rest = divmod(depth - 2, 6) if isinstance(depth, int) else (0, 0)
        if blocks < 1 or rest:
            raise ShapeError(f"ResNet: depth must be 6n + 2, such as 20, 32 or 44, got {depth!r}")
        layers: list[Layer] = [_same(widths[0]), BatchNorm(), ReLU()]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                halve = stage > 0 and block == 0
                layers += [_residual(width, halve), ReLU()]
        layers += [GlobalAvgPool2d(), Affine(classes)]
        super().__init__(Sequential(*layers), input_shape, **settings)


class FastNet(Network):
    """A network made for training speed: conv `stem` 2×2 – GELU, then for each of `widths` a block.

    A block is conv 3×3 – pool 2 – batch norm – GELU – conv 3×3 – batch norm – GELU: the first
    convolution is the only one that sees the larger image.  Then pool 3 and affine.
    Source: Jordan 2024, arXiv:2404.00498, section 3 (without its whitening, scaling and lookahead).
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 256, 256),
        *,
        stem: int = 24,
        input_shape: Shape = (3, 32, 32),
        classes: int = 10,
        **settings: Any,
    ) -> None:
        _require_some("FastNet: widths", widths)
        layers: list[Layer] = [Conv2d(stem, 2), GELU()]
        for width in widths:
            layers += [_same(width), MaxPool2d(2), BatchNorm(), GELU(), _same(width), BatchNorm(), GELU()]
        layers += [MaxPool2d(3), Flatten(), Affine(classes)]
        super().__init__(Sequential(*layers), input_shape, **settings)


def _require_some(name: str, widths: Sequence[int]) -> None:
    if not isinstance(widths, Sequence) or not widths:
        raise RecipeError(f"{name} must be a list of whole numbers, at least one, got {widths!r}")


def _same(filters: int, *, stride: int = 1) -> Conv2d:
    """A 3×3 convolution that keeps the size of the image, for a batch normalisation to follow."""
    return Conv2d(filters, 3, stride=stride, padding=1, bias=False)


def _residual(width: int, halve: bool) -> Layer:
    """{conv – batch norm – ReLU – conv – batch norm} beside its shortcut."""
    body = Sequential(_same(width, stride=2 if halve else 1), BatchNorm(), ReLU(), _same(width), BatchNorm())
    shortcut = Sequential(Conv2d(width, 1, stride=2, bias=False), BatchNorm()) if halve else None
    return Residual(body, shortcut)
