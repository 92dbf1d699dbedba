"""`layers`: the pairs of `plaingrad.ops` under the course's names and with its parameter dicts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.course.conventions import drop_rate
from plaingrad.errors import ShapeError
from plaingrad.network import Hinge, Objective, SoftmaxCrossEntropy

__all__ = [
    "affine_backward",
    "affine_forward",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "batchnorm_forward",
    "conv_backward_naive",
    "conv_forward_naive",
    "dropout_backward",
    "dropout_forward",
    "layernorm_backward",
    "layernorm_forward",
    "max_pool_backward_naive",
    "max_pool_forward_naive",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
    "spatial_batchnorm_backward",
    "spatial_batchnorm_forward",
    "spatial_groupnorm_backward",
    "spatial_groupnorm_forward",
    "svm_loss",
]

Array = np.ndarray
Param = dict[str, Any]


def affine_forward(x: Array, w: Array, b: Array) -> tuple[Array, Any]:
    """x w + b, for x (N, d_1, ..., d_k) with each sample taken as a row.  Returns out (N, M), cache (x, w, b)."""
    rows = _rows(x)
    if rows.shape[1:] != w.shape[:1] or w.shape[1:] != b.shape:
        raise ShapeError(
            f"affine: samples x {x.shape} are rows {rows.shape}, but w is {w.shape} and b {b.shape}; "
            "w must be (features, units) and b (units,)"
        )
    out, _ = ops.affine_forward(rows, w, b)
    return out, (x, w, b)


def affine_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dw, db), dx in x's own shape."""
    x, w, _ = cache
    dx, dw, db = ops.affine_backward(dout, (_rows(x), w))
    assert dx is not None  # it was not told to leave dx out
    return dx.reshape(x.shape), dw, db


def relu_forward(x: Array) -> tuple[Array, Any]:
    """max(x, 0)."""
    return ops.relu_forward(x)


def relu_backward(dout: Array, cache: Any) -> Array:
    """dx."""
    return ops.relu_backward(dout, cache)


def dropout_forward(x: Array, dropout_param: Param) -> tuple[Array, Any]:
    """Inverted dropout.  dropout_param: "p", "mode" ("train" or "test") and, for the same mask each time, "seed".

    p is the probability to keep a unit; before 2018 the course meant the probability to drop one, which
    `plaingrad.course.install(..., dropout_p="drop")` chooses.  Without a seed, NumPy's global generator
    gives one; a seed of yours leaves that generator alone.  Cache: (dropout_param, mask).
    """
    if _mode(dropout_param, "dropout_param") == "test":
        return x, (dropout_param, None)
    rate = drop_rate(dropout_param["p"])
    seed = dropout_param.get("seed")
    out, mask = ops.dropout_forward(x, rate=rate, seed=np.random.randint(2**31) if seed is None else seed)
    return out, (dropout_param, mask)


def dropout_backward(dout: Array, cache: Any) -> Array:
    """dx; in test mode, dout itself."""
    _, mask = cache
    return dout if mask is None else ops.dropout_backward(dout, mask)


def batchnorm_forward(x: Array, gamma: Array, beta: Array, bn_param: Param) -> tuple[Array, Any]:
    """Normalise each feature of x (N, D) over the batch or, in "test" mode, by the running statistics.

    bn_param: "mode" ("train" or "test"), "eps" (1e-5), "momentum" (0.9: the share of the old value that
    is kept), and "running_mean" and "running_var" (zeros at first), which training updates in the dict.
    """
    _check_features("batchnorm", x, gamma, beta)
    return _batchnorm(x, gamma, beta, bn_param)


def _batchnorm(x: Array, gamma: Array, beta: Array, bn_param: Param) -> tuple[Array, Any]:
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    mode = _mode(bn_param, "bn_param")
    running_mean = bn_param.get("running_mean", np.zeros(x.shape[1], dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(x.shape[1], dtype=x.dtype))
    if mode == "test":
        out, cache = ops.batchnorm_eval_forward(x, gamma, beta, running_mean, running_var, eps=eps)
    else:
        out, cache = ops.batchnorm_forward(x, gamma, beta, eps=eps)
        running_mean = ops.running_average(running_mean, cache.mean, momentum=momentum)
        running_var = ops.running_average(running_var, cache.variance, momentum=momentum)
    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var
    return out, cache


def batchnorm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dgamma, dbeta), for the mode that the forward pass ran in."""
    in_training = isinstance(cache, ops.BatchnormCache)
    return (ops.batchnorm_backward if in_training else ops.batchnorm_eval_backward)(dout, cache)


def batchnorm_backward_alt(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """The same: plaingrad's derivation is the simplified one already."""
    return batchnorm_backward(dout, cache)


def layernorm_forward(x: Array, gamma: Array, beta: Array, ln_param: Param) -> tuple[Array, Any]:
    """Normalise each sample of x (N, D) over its features.  ln_param: "eps" (1e-5)."""
    _check_features("layernorm", x, gamma, beta)
    return ops.layernorm_forward(x, gamma, beta, eps=ln_param.get("eps", 1e-5))


def layernorm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dgamma, dbeta)."""
    return ops.layernorm_backward(dout, cache)


def conv_forward_naive(x: Array, w: Array, b: Array, conv_param: Param) -> tuple[Array, Any]:
    """The convolution of x (N, C, H, W) with the filters w (F, C, HH, WW), plus b (F,).  Only its name is naive.

    conv_param: "stride", and "pad", the depth of the zeros around the images.  Returns out (N, F, H', W')
    with H' = ⌊(H + 2 pad − HH) / stride⌋ + 1, and the cache (x, w, b, conv_param).
    """
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[1] or b.shape != w.shape[:1]:
        raise ShapeError(
            f"conv needs x (N, C, H, W), w (F, C, HH, WW) and b (F,), got {x.shape}, {w.shape} and {b.shape}"
        )
    stride, pad = _settings(conv_param, "conv_param", "stride", "pad")
    out, _ = ops.conv2d_forward(x, w, b, stride=stride, padding=pad)
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dw, db)."""
    x, w, _, conv_param = cache
    window = ops.Window.of(w.shape[2:], conv_param["stride"], conv_param["pad"])
    dx, dw, db = ops.conv2d_backward(dout, ops.Conv2dCache(x, w, window, groups=1))
    assert dx is not None  # it was not told to leave dx out
    return dx, dw, db


def max_pool_forward_naive(x: Array, pool_param: Param) -> tuple[Array, Any]:
    """The largest value in each window of x (N, C, H, W).  pool_param: "pool_height", "pool_width", "stride"."""
    if x.ndim != 4:
        raise ShapeError(f"max_pool needs x (N, C, H, W), got {x.shape}")
    height, width, stride = _settings(pool_param, "pool_param", "pool_height", "pool_width", "stride")
    return ops.max_pool2d_forward(x, window=(height, width), stride=stride)


def max_pool_backward_naive(dout: Array, cache: Any) -> Array:
    """dx; of equal values in a window the first has the gradient."""
    return ops.max_pool2d_backward(dout, cache)


def spatial_batchnorm_forward(x: Array, gamma: Array, beta: Array, bn_param: Param) -> tuple[Array, Any]:
    """Normalise each channel of x (N, C, H, W) over the batch and all pixels; gamma, beta (C,).

    bn_param as in `batchnorm_forward`.
    """
    _check_channels("spatial_batchnorm", x, gamma, beta, "(C,)", x.shape[1:2])
    return _batchnorm(x, gamma, beta, bn_param)


def spatial_batchnorm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dgamma, dbeta), for the mode that the forward pass ran in."""
    return batchnorm_backward(dout, cache)


def spatial_groupnorm_forward(
    x: Array, gamma: Array, beta: Array, G: int, gn_param: Param
) -> tuple[Array, Any]:
    """Normalise each image of x (N, C, H, W) over the pixels of C/G channels at a time.

    gamma, beta (1, C, 1, 1).  gn_param: "eps" (1e-5).
    """
    _check_channels("spatial_groupnorm", x, gamma, beta, "(1, C, 1, 1)", (1, *x.shape[1:2], 1, 1))
    eps = gn_param.get("eps", 1e-5)
    return ops.groupnorm_forward(x, gamma.reshape(-1), beta.reshape(-1), groups=G, eps=eps)


def spatial_groupnorm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """(dx, dgamma, dbeta), the last two of shape (1, C, 1, 1)."""
    dx, dgamma, dbeta = ops.groupnorm_backward(dout, cache)
    return dx, dgamma.reshape(1, -1, 1, 1), dbeta.reshape(1, -1, 1, 1)


def svm_loss(x: Array, y: Array) -> tuple[float, Array]:
    """The multiclass SVM loss of scores x (N, C) with labels y (N,), and its gradient dx."""
    return _loss(Hinge(), x, y)


def softmax_loss(x: Array, y: Array) -> tuple[float, Array]:
    """Softmax and cross-entropy of scores x (N, C) with labels y (N,), and its gradient dx."""
    return _loss(SoftmaxCrossEntropy(), x, y)


def _loss(objective: Objective, x: Array, y: Array) -> tuple[float, Array]:
    if x.ndim != 2:
        raise ShapeError(f"a loss needs scores of shape (N, C), got {x.shape}")
    loss, cache = objective.forward(x, np.asarray(y))
    return float(loss), objective.backward(cache)


def _rows(x: Array) -> Array:
    return x.reshape(x.shape[0], math.prod(x.shape[1:])) if x.ndim > 2 else x


def _mode(param: Param, name: str) -> str:
    mode = param.get("mode")
    if mode not in ("train", "test"):
        raise ValueError(f'{name}["mode"] must be "train" or "test", got {mode!r}')
    return mode


def _settings(param: Param, name: str, *keys: str) -> list[Any]:
    """The values of the keys.  Raises ValueError if one is missing."""
    if missing := [key for key in keys if key not in param]:
        raise ValueError(f"{name} needs {', '.join(keys)}; missing: {', '.join(missing)}")
    return [param[key] for key in keys]


def _check_features(layer: str, x: Array, gamma: Array, beta: Array) -> None:
    if x.ndim != 2 or x.shape[1:] != gamma.shape or gamma.shape != beta.shape:
        raise ShapeError(
            f"{layer} needs x (N, D), gamma (D,) and beta (D,), got {x.shape}, {gamma.shape} and {beta.shape}"
        )


def _check_channels(
    layer: str, x: Array, gamma: Array, beta: Array, form: str, wanted: tuple[int, ...]
) -> None:
    if x.ndim != 4 or gamma.shape != wanted or beta.shape != wanted:
        raise ShapeError(
            f"{layer} needs x (N, C, H, W), gamma {form} and beta {form}, "
            f"got {x.shape}, {gamma.shape} and {beta.shape}"
        )
