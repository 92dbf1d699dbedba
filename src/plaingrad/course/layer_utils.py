"""`layer_utils`: several layers in one pair, the course's sandwiches.

Brings `layers` and `fast_layers` along, as there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad.course import fast_layers, layers
from plaingrad.course.fast_layers import *  # noqa: F403
from plaingrad.course.layers import *  # noqa: F403 (the course's module has these names too)
from plaingrad.course.layers import (
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_forward,
    conv_backward_naive,
    conv_forward_naive,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    max_pool_backward_naive,
    max_pool_forward_naive,
    relu_backward,
    relu_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
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
    "conv_bn_relu_backward",
    "conv_bn_relu_forward",
    "conv_relu_backward",
    "conv_relu_forward",
    "conv_relu_pool_backward",
    "conv_relu_pool_forward",
]
__all__ += layers.__all__
__all__ += fast_layers.__all__

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


def conv_relu_forward(x: Array, w: Array, b: Array, conv_param: Param) -> tuple[Array, Any]:
    """Convolution, then ReLU."""
    a, conv_cache = conv_forward_naive(x, w, b, conv_param)
    out, relu_cache = relu_forward(a)
    return out, (conv_cache, relu_cache)


def conv_relu_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dw, db)."""
    conv_cache, relu_cache = cache
    return conv_backward_naive(relu_backward(dout, relu_cache), conv_cache)


def conv_bn_relu_forward(
    x: Array, w: Array, b: Array, gamma: Array, beta: Array, conv_param: Param, bn_param: Param
) -> tuple[Array, Any]:
    """Convolution, spatial batch normalisation, ReLU."""
    a, conv_cache = conv_forward_naive(x, w, b, conv_param)
    normal, bn_cache = spatial_batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward(normal)
    return out, (conv_cache, bn_cache, relu_cache)


def conv_bn_relu_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array, Array, Array]:
    """(dx, dw, db, dgamma, dbeta)."""
    conv_cache, bn_cache, relu_cache = cache
    da, dgamma, dbeta = spatial_batchnorm_backward(relu_backward(dout, relu_cache), bn_cache)
    return *conv_backward_naive(da, conv_cache), dgamma, dbeta


def conv_relu_pool_forward(
    x: Array, w: Array, b: Array, conv_param: Param, pool_param: Param
) -> tuple[Array, Any]:
    """Convolution, ReLU, max pooling."""
    hidden, cache = conv_relu_forward(x, w, b, conv_param)
    out, pool_cache = max_pool_forward_naive(hidden, pool_param)
    return out, (cache, pool_cache)


def conv_relu_pool_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dw, db)."""
    conv_relu_cache, pool_cache = cache
    return conv_relu_backward(max_pool_backward_naive(dout, pool_cache), conv_relu_cache)
