"""Activations, elementwise: x and out have any one shape, and each backward pass is dout · f'(x).

Sources: leaky ReLU, Maas, Hannun & Ng 2013; ELU, Clevert, Unterthiner & Hochreiter 2016,
arXiv:1511.07289, eq. 15; GELU and SiLU, Hendrycks & Gimpel 2016, arXiv:1606.08415.
"""

from __future__ import annotations

import math
from typing import Any

from jaxtyping import Float

from plaingrad.ops.formula import formula, namespace

Tensor = Float[Any, "*shape"]


@formula
def relu_forward(x: Tensor) -> tuple[Tensor, Any]:
    """out = max(x, 0).

    Cached: out, whose sign says all that the backward pass needs; the next layer keeps it anyway.
    """
    out = namespace(x).maximum(x, 0)
    return out, out


@formula
def relu_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout where x > 0, else 0.  At the kink x = 0 the derivative is taken as 0, as elsewhere."""
    # A product with 0 and 1 rather than `where`: the same for finite dout, and in NumPy faster.
    return dout * namespace(dout).astype(cache > 0, dout.dtype)


@formula
def leaky_relu_forward(x: Tensor, *, slope: float = 0.01) -> tuple[Tensor, Any]:
    """out = x where x > 0, else slope · x.  Cached: where x > 0, and the slope."""
    positive = x > 0
    return namespace(x).where(positive, x, slope * x), (positive, slope)


@formula
def leaky_relu_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout where x > 0, else slope · dout."""
    positive, slope = cache
    return namespace(dout).where(positive, dout, slope * dout)


@formula
def elu_forward(x: Tensor, *, alpha: float = 1.0) -> tuple[Tensor, Any]:
    """out = x where x > 0, else α (eˣ − 1).

    `expm1` is exact near 0; the exponential sees only x ≤ 0, so that it cannot overflow.
    Cached: where x > 0, and the derivative of the other branch, α eˣ.
    """
    xp = namespace(x)
    positive = x > 0
    bent = alpha * xp.expm1(xp.minimum(x, 0))
    return xp.where(positive, x, bent), (positive, bent + alpha)


@formula
def elu_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout where x > 0, else dout · α eˣ."""
    positive, slope = cache
    return namespace(dout).where(positive, dout, dout * slope)


def _sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ), from the exponential of −|x| so that no sign of x overflows."""
    xp = namespace(x)
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1 / (1 + z), z / (1 + z))


@formula
def sigmoid_forward(x: Tensor) -> tuple[Tensor, Any]:
    """out = σ(x) = 1 / (1 + e⁻ˣ).  Cached: out, since σ' = σ (1 − σ)."""
    out = _sigmoid(x)
    return out, out


@formula
def sigmoid_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout · σ (1 − σ)."""
    return dout * cache * (1 - cache)


@formula
def tanh_forward(x: Tensor) -> tuple[Tensor, Any]:
    """out = tanh x.  Cached: out, since tanh' = 1 − tanh²."""
    out = namespace(x).tanh(x)
    return out, out


@formula
def tanh_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout · (1 − tanh² x)."""
    return dout * (1 - cache * cache)


_GELU_SCALE, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715


@formula
def gelu_forward(x: Tensor) -> tuple[Tensor, Any]:
    """out = ½ x (1 + tanh u),  u = √(2/π) (x + 0.044715 x³): x weighted by how likely a normal is below it.

    This is the tanh form, JAX's default and PyTorch's `approximate="tanh"`; it differs from the exact
    x Φ(x), PyTorch's default, by less than 5e-4 everywhere.
    Cached: x and tanh u.
    """
    t = namespace(x).tanh(_GELU_SCALE * (x + _GELU_CUBIC * x * x * x))
    return 0.5 * x * (1 + t), (x, t)


@formula
def gelu_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout · ½ (1 + t + x (1 − t²) u')  with t = tanh u,  u' = √(2/π) (1 + 3 · 0.044715 x²)."""
    x, t = cache
    du = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * x * x)
    return dout * 0.5 * (1 + t + x * (1 - t * t) * du)


@formula
def silu_forward(x: Tensor) -> tuple[Tensor, Any]:
    """out = x σ(x), also called swish.  Cached: x and σ(x)."""
    sigma = _sigmoid(x)
    return x * sigma, (x, sigma)


@formula
def silu_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout · σ (1 + x (1 − σ))."""
    x, sigma = cache
    return dout * sigma * (1 + x * (1 - sigma))


@formula
def scale_forward(x: Tensor, *, factor: float) -> tuple[Tensor, float]:
    """out = factor · x, a fixed factor: on scores, the inverse of the softmax's temperature.

    Cached: the factor.
    """
    return x * factor, factor


@formula
def scale_backward(dout: Tensor, cache: float) -> Tensor:
    """dx = factor · dout."""
    return dout * cache
