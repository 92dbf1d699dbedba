"""The rows of tests/cases.py for ops on images (N, C, H, W).

Images are few and small, so that every element can be moved for a difference: of n samples and d
features half as many images and channels, rounded up.  Height and width differ wherever they can.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from case import Case, Inputs, spread

Make = Callable[[np.random.Generator, int, int], Inputs]


def half(n: int) -> int:
    return (n + 1) // 2


def pair(n: int | tuple[int, int]) -> tuple[int, int]:
    return (n, n) if isinstance(n, int) else n


def images(height: int, width: int) -> Make:
    return lambda rng, n, d: (spread(rng, half(n), half(d), height, width),)


# Convolution


def filtered(
    image: tuple[int, int], kernel: tuple[int, int], *, filters: int = 4, groups: int = 1, bias: bool = True
) -> Make:
    """Images, filters and a bias.  With groups, each sees half of d channels; filters: of all groups."""

    def make(rng: np.random.Generator, n: int, d: int) -> Inputs:
        x = rng.standard_normal((half(n), groups * half(d), *image))
        w = rng.standard_normal((filters, half(d), *kernel))
        return (x, w, rng.standard_normal(filters)) if bias else (x, w)

    return make


def depthwise(rng: np.random.Generator, n: int, d: int) -> Inputs:
    """Two filters for each of three channels."""
    return (
        rng.standard_normal((half(n), 3, 5, half(d) + 2)),
        rng.standard_normal((6, 1, 3, 2)),
        rng.standard_normal(6),
    )


def conv2d_by_jax(
    x: Any, w: Any, b: Any = None, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    out = jax.lax.conv_general_dilated(
        x,
        w,
        window_strides=pair(stride),
        padding=[(p, p) for p in pair(padding)],
        rhs_dilation=pair(dilation),
        feature_group_count=groups,
    )
    return out if b is None else out + b[:, None, None]


def conv2d(variant: str, inputs: Make, *, bias: bool = True, **keywords: Any) -> Case:
    return Case(
        "conv2d",
        inputs,
        conv2d_by_jax,
        keywords,
        torch=lambda F, x, w, b=None, **keywords: F.conv2d(x, w, b, **keywords),
        omitted=0 if bias else 1,
        variant=variant,
    )


CONVOLUTION = [
    conv2d("", filtered((4, 5), (3, 2))),
    conv2d("stride-padding", filtered((5, 6), (3, 3)), stride=2, padding=1),
    conv2d("skipped-and-leftover-pixels", filtered((5, 6), (1, 2)), stride=3),
    conv2d("dilation", filtered((5, 6), (2, 3)), dilation=2, padding=1),
    conv2d("groups", filtered((4, 4), (2, 3), groups=2), padding=1, groups=2),
    conv2d("depthwise", depthwise, padding=1, groups=3),
    conv2d("rectangular", filtered((6, 5), (2, 3)), stride=(2, 1), padding=(0, 2), dilation=(3, 2)),
    conv2d("1x1", filtered((3, 4), (1, 1), filters=5)),
    conv2d("more-padding-than-image", filtered((1, 2), (3, 3)), padding=3, stride=2),
    conv2d("no-bias", filtered((5, 3), (3, 3), bias=False), bias=False, padding=1),
]


def conv2d_relu(variant: str, inputs: Make, *, bias: bool = True, **keywords: Any) -> Case:
    return Case(
        "conv2d_relu",
        inputs,
        lambda *inputs, **keywords: jax.nn.relu(conv2d_by_jax(*inputs, **keywords)),
        keywords,
        torch=lambda F, x, w, b=None, **keywords: F.relu(F.conv2d(x, w, b, **keywords)),
        omitted=0 if bias else 1,
        variant=variant,
    )


CONVOLUTION_AND_RELU = [
    conv2d_relu("", filtered((4, 5), (3, 2))),
    conv2d_relu("stride-padding", filtered((5, 6), (3, 3)), stride=2, padding=1),
    conv2d_relu("groups", filtered((4, 4), (2, 3), groups=2), padding=1, groups=2),
    conv2d_relu("no-bias", filtered((5, 3), (3, 3), bias=False), bias=False, padding=1),
]


# Pooling


def pooled_by_jax(x: Any, identity: float, combine: Any, window: Any, stride: Any, padding: Any) -> Any:
    return jax.lax.reduce_window(
        x,
        identity,
        combine,
        window_dimensions=(1, 1, *pair(window)),
        window_strides=(1, 1, *pair(window if stride is None else stride)),
        padding=[(0, 0), (0, 0), *((p, p) for p in pair(padding))],
    )


def max_by_jax(x: Any, *, window: Any, stride: Any = None, padding: Any = 0) -> Any:
    return pooled_by_jax(x, -math.inf, jax.lax.max, window, stride, padding)


def mean_by_jax(x: Any, *, window: Any, stride: Any = None, padding: Any = 0) -> Any:
    return pooled_by_jax(x, 0.0, jax.lax.add, window, stride, padding) / math.prod(pair(window))


def max_pool2d(variant: str, make: Make, **keywords: Any) -> Case:
    return Case(
        "max_pool2d",
        make,
        max_by_jax,
        keywords,
        torch=lambda F, x, window, **moved: F.max_pool2d(x, window, **moved),
        variant=variant,
    )


def avg_pool2d(variant: str, make: Make, **keywords: Any) -> Case:
    return Case(
        "avg_pool2d",
        make,
        mean_by_jax,
        keywords,
        torch=lambda F, x, window, **moved: F.avg_pool2d(x, window, **moved),
        variant=variant,
    )


POOLING = [
    max_pool2d("", images(4, 6), window=2),
    max_pool2d("overlapping", images(5, 6), window=3, stride=1),
    max_pool2d("padding", images(4, 5), window=3, stride=2, padding=1),
    max_pool2d("skipped-and-leftover-pixels", images(5, 6), window=2, stride=3),
    max_pool2d("rectangular", images(6, 5), window=(2, 3), stride=(3, 1), padding=(1, 0)),
    avg_pool2d("", images(4, 6), window=2),
    avg_pool2d("overlapping-padding", images(4, 5), window=3, stride=2, padding=1),
    avg_pool2d("rectangular", images(6, 5), window=(2, 3), stride=(3, 1), padding=(0, 1)),
    Case(
        "global_avg_pool2d",
        images(4, 5),
        lambda x: jnp.einsum("nchw->nc", x) / (x.shape[2] * x.shape[3]),
        torch=lambda F, x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0],
    ),
]


# Normalisation over pixels, dropout of channels, flattening


def spatial(rng: np.random.Generator, n: int, d: int) -> Inputs:
    """Images with γ and β for their channels."""
    channels = half(d)
    return spread(rng, half(n), channels, 4, 5), rng.uniform(0.5, 2, channels), rng.standard_normal(channels)


def four_channels(rng: np.random.Generator, n: int, d: int) -> Inputs:
    """Images of d rows."""
    return spread(rng, half(n), 4, d, 3), rng.uniform(0.5, 2, 4), rng.standard_normal(4)


def batchnorm_by_jax(x: Any, gamma: Any, beta: Any, *, eps: float) -> Any:
    """Channel by channel, each a column of samples."""
    rows = [jax.nn.standardize(x[:, c].ravel(), epsilon=eps) for c in range(x.shape[1])]
    xhat = jnp.stack([row.reshape(x[:, 0].shape) for row in rows], axis=1)
    return jnp.einsum("nchw,c->nchw", xhat, gamma) + beta[:, None, None]


def groupnorm_by_jax(x: Any, gamma: Any, beta: Any, *, groups: int, eps: float) -> Any:
    """Image by image and group by group."""

    def normalized(image: Any) -> Any:
        parts = jnp.split(image, groups)
        return jnp.concatenate(
            [jax.nn.standardize(part, axis=(0, 1, 2), epsilon=eps) for part in parts], axis=0
        )

    xhat = jnp.stack([normalized(image) for image in x])
    return jnp.einsum("nchw,c->nchw", xhat, gamma) + beta[:, None, None]


def dropped_channels(x: Any, *, rate: float, seed: int) -> Any:
    """As a loop would do it: the uniform numbers, in order, decide channel by channel."""
    uniform = iter(np.random.default_rng(seed).random(x.shape[0] * x.shape[1], dtype=np.float32))
    return jnp.stack(
        [
            jnp.stack([channel * (0 if next(uniform) >= 1 - rate else 1 / (1 - rate)) for channel in image])
            for image in x
        ]
    )


JAX_ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu}
TORCH_ACTIVATIONS = {"relu": lambda F, x: F.relu(x), "gelu": lambda F, x: F.gelu(x, approximate="tanh")}


OTHERS = [
    Case(
        "batchnorm",
        spatial,
        batchnorm_by_jax,
        {"eps": 1e-3},
        torch=lambda F, x, g, b, eps: F.batch_norm(x, None, None, g, b, training=True, eps=eps),
        variant="spatial",
    ),
    *(
        Case(
            "batchnorm_activation",
            spatial,
            lambda x, g, b, eps, activation: JAX_ACTIVATIONS[activation](batchnorm_by_jax(x, g, b, eps=eps)),
            {"eps": 1e-3, "activation": activation},
            torch=lambda F, x, g, b, eps, activation: TORCH_ACTIVATIONS[activation](
                F, F.batch_norm(x, None, None, g, b, training=True, eps=eps)
            ),
            variant=f"spatial-{activation}",
        )
        for activation in JAX_ACTIVATIONS
    ),
    Case(
        "batchnorm_eval",
        lambda rng, n, d: (*spatial(rng, n, d), rng.standard_normal(half(d)), rng.uniform(0.5, 2, half(d))),
        lambda x, g, b, mean, var, eps: jnp.stack(
            [g[c] * (x[:, c] - mean[c]) / jnp.sqrt(var[c] + eps) + b[c] for c in range(x.shape[1])], axis=1
        ),
        {"eps": 1e-3},
        constants=2,
        torch=lambda F, x, g, b, mean, var, eps: F.batch_norm(x, mean, var, g, b, eps=eps),
        variant="spatial",
    ),
    *(
        Case(
            "groupnorm",
            four_channels,
            groupnorm_by_jax,
            {"groups": groups, "eps": 1e-3},
            torch=lambda F, x, g, b, groups, eps: F.group_norm(x, groups, g, b, eps),
            variant=f"{groups}-groups",
        )
        for groups in (1, 2, 4)
    ),
    Case("dropout2d", images(3, 4), dropped_channels, {"rate": 0.3, "seed": 7}),
    Case(
        "flatten",
        images(3, 4),
        lambda x: jnp.stack([jnp.ravel(image) for image in x]),
        torch=lambda F, x: x.flatten(1),
    ),
]

IMAGE_CASES = [*CONVOLUTION, *CONVOLUTION_AND_RELU, *POOLING, *OTHERS]
