"""`layer_utils`: several layers in one pair, the course's sandwiches.  Brings `layers` along, as there."""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad.course import layers
from plaingrad.course.layers import *  # noqa: F403 (the course's module has these names too)
from plaingrad.course.layers import (
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
)

__all__ = [
    "affine_bn_relu_backward",
    "affine_bn_relu_forward",
    "affine_ln_relu_backward",
    "affine_ln_relu_forward",
    "affine_relu_backward",
    "affine_relu_dropout_backward",
    "affine_relu_dropout_forward",
    "affine_relu_forward",
]
__all__ += layers.__all__

Array = np.ndarray
Param = dict[str, Any]


def affine_relu_forward(x: Array, w: Array, b: Array) -> tuple[Array, Any]:
    """Affine, then ReLU."""
    a, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(a)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dw, db)."""
    affine_cache, relu_cache = cache
    return affine_backward(relu_backward(dout, relu_cache), affine_cache)


def affine_bn_relu_forward(
    x: Array, w: Array, b: Array, gamma: Array, beta: Array, bn_param: Param
) -> tuple[Array, Any]:
    """Affine, batch normalisation, ReLU."""
    a, affine_cache = affine_forward(x, w, b)
    normal, bn_cache = batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward(normal)
    return out, (affine_cache, bn_cache, relu_cache)


def affine_bn_relu_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array, Array, Array]:
    """(dx, dw, db, dgamma, dbeta)."""
    affine_cache, bn_cache, relu_cache = cache
    da, dgamma, dbeta = batchnorm_backward(relu_backward(dout, relu_cache), bn_cache)
    return *affine_backward(da, affine_cache), dgamma, dbeta


def affine_ln_relu_forward(
    x: Array, w: Array, b: Array, gamma: Array, beta: Array, ln_param: Param
) -> tuple[Array, Any]:
    """Affine, layer normalisation, ReLU."""
    a, affine_cache = affine_forward(x, w, b)
    normal, ln_cache = layernorm_forward(a, gamma, beta, ln_param)
    out, relu_cache = relu_forward(normal)
    return out, (affine_cache, ln_cache, relu_cache)


def affine_ln_relu_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array, Array, Array]:
    """(dx, dw, db, dgamma, dbeta)."""
    affine_cache, ln_cache, relu_cache = cache
    da, dgamma, dbeta = layernorm_backward(relu_backward(dout, relu_cache), ln_cache)
    return *affine_backward(da, affine_cache), dgamma, dbeta


def affine_relu_dropout_forward(x: Array, w: Array, b: Array, dropout_param: Param) -> tuple[Array, Any]:
    """Affine, ReLU, dropout."""
    hidden, cache = affine_relu_forward(x, w, b)
    out, dropout_cache = dropout_forward(hidden, dropout_param)
    return out, (cache, dropout_cache)


def affine_relu_dropout_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dw, db)."""
    affine_relu_cache, dropout_cache = cache
    return affine_relu_backward(dropout_backward(dout, dropout_cache), affine_relu_cache)
