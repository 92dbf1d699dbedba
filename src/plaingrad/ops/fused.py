"""Two ops in one: what follows one another in most networks, so that a kernel can do both in one pass.

Each is defined by the ops that it is made of.  Between the two lies an array that nobody else asks for;
a kernel never writes it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from jaxtyping import Float

from plaingrad.ops.activation import gelu_backward, gelu_forward, relu_backward, relu_forward
from plaingrad.ops.affine import affine_backward, affine_forward
from plaingrad.ops.convolution import Conv2dCache, Filters, Images, conv2d_backward, conv2d_forward
from plaingrad.ops.formula import formula, namespace
from plaingrad.ops.normalization import (
    Batch,
    BatchnormCache,
    Features,
    batchnorm_backward,
    batchnorm_forward,
    over_batch,
)
from plaingrad.ops.window import Pair

Activation = Literal["relu", "gelu"]

_PAIRS = {"relu": (relu_forward, relu_backward), "gelu": (gelu_forward, gelu_backward)}


class BatchnormActivationCache(NamedTuple):
    """x, γ, β, μ, 1/√(σ² + ε) and σ² (D,) of the normalisation, and which activation came after it."""

    x: Any
    gamma: Any
    beta: Any
    mean: Any
    rstd: Any
    variance: Any
    activation: Activation


@formula
def batchnorm_activation_forward(
    x: Batch, gamma: Features, beta: Features, *, eps: float = 1e-5, activation: Activation = "relu"
) -> tuple[Batch, BatchnormActivationCache]:
    """out = f(γ x̂ + β): `batchnorm_forward`, then ReLU or GELU.

    x (N, D) or images (N, D, H, W); gamma, beta (D,).
    Cached: x, which the layer below has written already, and numbers for each feature.  x̂, γ x̂ + β and
    GELU's tanh would be written for the backward pass alone, each as large as x; it computes them again,
    since a few multiplications take less time than a number takes to memory and back.
    """
    normalized, (_, _, rstd, mean, variance) = batchnorm_forward(x, gamma, beta, eps=eps)
    out, _ = _PAIRS[activation][0](normalized)
    return out, BatchnormActivationCache(x, gamma, beta, mean, rstd, variance, activation)


@formula
def batchnorm_activation_backward(
    dout: Batch, cache: BatchnormActivationCache
) -> tuple[Batch, Features, Features]:
    """x̂ and γ x̂ + β once more, then f's backward pass and `batchnorm_backward`, from the last to the first."""
    x, gamma, beta, mean, rstd, variance, activation = cache
    xp = namespace(dout)
    _, along = over_batch(x)
    mean_, rstd_, gamma_, beta_ = (xp.reshape(v, along) for v in (mean, rstd, gamma, beta))
    xhat = (x - mean_) * rstd_
    forward, backward = _PAIRS[activation]
    _, activation_cache = forward(gamma_ * xhat + beta_)
    dnormalized = backward(dout, activation_cache)
    return batchnorm_backward(dnormalized, BatchnormCache(xhat, gamma, rstd, mean, variance))


class Conv2dReluCache(NamedTuple):
    """The convolution's cache, and out, whose sign says where ReLU let through."""

    conv: Conv2dCache
    out: Any


@formula
def conv2d_relu_forward(
    x: Images,
    w: Filters,
    b: Float[Any, " F"] | None = None,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> tuple[Float[Any, "N F HO WO"], Conv2dReluCache]:
    """out = max(conv(x, w) + b, 0): `conv2d_forward`, then `relu_forward`.

    Cached: what the convolution caches, and out; not what lies between the two.
    """
    z, cache = conv2d_forward(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups)
    out, _ = relu_forward(z)
    return out, Conv2dReluCache(cache, out)


@formula
def conv2d_relu_backward(
    dout: Float[Any, "N F HO WO"], cache: Conv2dReluCache, *, needs_dx: bool = True
) -> tuple[Images | None, Filters, Float[Any, " F"]]:
    """`relu_backward`, then `conv2d_backward`."""
    return conv2d_backward(relu_backward(dout, cache.out), cache.conv, needs_dx=needs_dx)


class AffineReluCache(NamedTuple):
    """The affine map's cache, and out, whose sign says where ReLU let through."""

    affine: tuple[Any, Any]
    out: Any


@formula
def affine_relu_forward(
    x: Float[Any, "N D"], w: Float[Any, "D M"], b: Float[Any, " M"] | None = None
) -> tuple[Float[Any, "N M"], AffineReluCache]:
    """out = max(x w + b, 0): `affine_forward`, then `relu_forward`.

    Cached: x, w and out; not what lies between the two.
    """
    z, cache = affine_forward(x, w, b)
    out, _ = relu_forward(z)
    return out, AffineReluCache(cache, out)


@formula
def affine_relu_backward(
    dout: Float[Any, "N M"], cache: AffineReluCache, *, needs_dx: bool = True
) -> tuple[Float[Any, "N D"] | None, Float[Any, "D M"], Float[Any, " M"]]:
    """`relu_backward`, then `affine_backward`."""
    return affine_backward(relu_backward(dout, cache.out), cache.affine, needs_dx=needs_dx)
