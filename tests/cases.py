"""One row per op: inputs on which it is smooth, and what it should compute, written independently.

The generic tests in tests/ops run every row on every array library.  An op that is exported without
a row here fails `test_every_op_has_a_case`.  The rows of images are in image_cases.py.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from case import Array, Case, Inputs, spread
from image_cases import IMAGE_CASES, JAX_ACTIVATIONS, TORCH_ACTIVATIONS

__all__ = ["CASES", "Case"]


def features(rng: np.random.Generator, n: int, d: int) -> Inputs:
    return (spread(rng, n, d),)


def normalizer(rng: np.random.Generator, n: int, d: int) -> Inputs:
    """x, γ, β; γ is far from 1, so that leaving it out shows."""
    return spread(rng, n, d), rng.uniform(0.5, 2, d), rng.standard_normal(d)


def labelled(rng: np.random.Generator, n: int, d: int) -> Inputs:
    return spread(rng, n, d), rng.integers(d, size=n)


def on_a_grid(rng: np.random.Generator, n: int, d: int) -> Inputs:
    """Scores in steps of 0.3 and labels: no margin of 1 or 0.5 is closer than 0.1 to being violated or not."""
    return 0.3 * rng.integers(-8, 8, (n, d)), rng.integers(d, size=n)


def probabilities(rng: np.random.Generator, n: int, d: int) -> Array:
    p = rng.uniform(0.2, 1, (n, d))
    return p / p.sum(axis=1, keepdims=True)


def with_targets(rng: np.random.Generator, n: int, d: int) -> Inputs:
    return spread(rng, n, d), probabilities(rng, n, d)


def one_hot(rng: np.random.Generator, n: int, d: int) -> Array:
    return np.eye(d)[rng.integers(d, size=n)]


def dropped(x: Any, *, rate: float, seed: int) -> Any:
    """Dropout as a loop would do it: the uniform numbers, in order, decide element by element."""
    uniform = np.random.default_rng(seed).random(x.size, dtype=np.float32)
    factors = np.array([0.0 if u >= 1 - rate else 1 / (1 - rate) for u in uniform])
    return x * factors.reshape(x.shape)


def cross_entropy_of(scores: Any, y: Any, *, label_smoothing: float = 0.0) -> Any:
    classes = scores.shape[1]
    t = jax.nn.one_hot(y, classes) if y.ndim == 1 else y
    t = t * (1 - label_smoothing) + label_smoothing / classes
    return jnp.mean(jax.nn.logsumexp(scores, axis=1) * t.sum(axis=1) - (t * scores).sum(axis=1))


def hinge_by_pairs(scores: Any, y: Any, *, margin: float = 1.0) -> Any:
    """Crammer's picture: go through all pairs of sample and wrong class."""
    total = 0.0
    for n in range(scores.shape[0]):
        for c in range(scores.shape[1]):
            if c != int(y[n]):
                total += jax.nn.relu(scores[n, c] - scores[n, int(y[n])] + margin)
    return jnp.asarray(total) / scores.shape[0]


def batchnorm_by_jax(x: Any, gamma: Any, beta: Any, *, eps: float = 1e-5) -> Any:
    return jax.nn.standardize(x, axis=0, epsilon=eps) * gamma + beta


def layernorm_by_jax(x: Any, gamma: Any, beta: Any, *, eps: float = 1e-5) -> Any:
    return jax.nn.standardize(x, axis=1, epsilon=eps) * gamma + beta


CASES = [
    Case(
        "affine",
        lambda rng, n, d: (spread(rng, n, d), rng.standard_normal((d, 3)), rng.standard_normal(3)),
        lambda x, w, b: jnp.einsum("nd,dm->nm", x, w) + b,
        torch=lambda F, x, w, b: F.linear(x, w.T, b),
    ),
    Case(
        "affine_relu",
        lambda rng, n, d: (spread(rng, n, d), rng.standard_normal((d, 3)), rng.standard_normal(3)),
        lambda x, w, b: jax.nn.relu(jnp.einsum("nd,dm->nm", x, w) + b),
        torch=lambda F, x, w, b: F.relu(F.linear(x, w.T, b)),
    ),
    Case(
        "affine_relu",
        lambda rng, n, d: (spread(rng, n, d), rng.standard_normal((d, 3))),
        lambda x, w: jax.nn.relu(jnp.einsum("nd,dm->nm", x, w)),
        torch=lambda F, x, w: F.relu(F.linear(x, w.T)),
        omitted=1,
        variant="no-bias",
    ),
    Case("relu", features, jax.nn.relu, torch=lambda F, x: F.relu(x)),
    Case(
        "leaky_relu",
        features,
        lambda x, slope: jax.nn.leaky_relu(x, slope),
        {"slope": 0.2},
        torch=lambda F, x, slope: F.leaky_relu(x, slope),
    ),
    Case(
        "elu",
        features,
        lambda x, alpha: jax.nn.elu(x, alpha),
        {"alpha": 1.7},
        torch=lambda F, x, alpha: F.elu(x, alpha),
    ),
    Case("sigmoid", features, jax.nn.sigmoid, torch=lambda F, x: F.sigmoid(x)),
    Case("tanh", features, jnp.tanh, torch=lambda F, x: F.tanh(x)),
    Case("gelu", features, jax.nn.gelu, torch=lambda F, x: F.gelu(x, approximate="tanh")),
    Case("silu", features, jax.nn.silu, torch=lambda F, x: F.silu(x)),
    Case("scale", features, lambda x, factor: jnp.multiply(factor, x), {"factor": 0.3}),
    Case("dropout", features, dropped, {"rate": 0.3, "seed": 7}),
    Case(
        "batchnorm",
        normalizer,
        batchnorm_by_jax,
        {"eps": 1e-3},
        torch=lambda F, x, g, b, eps: F.batch_norm(x, None, None, g, b, training=True, eps=eps),
    ),
    *(
        Case(
            "batchnorm_activation",
            normalizer,
            lambda x, g, b, eps, activation: JAX_ACTIVATIONS[activation](batchnorm_by_jax(x, g, b, eps=eps)),
            {"eps": 1e-3, "activation": activation},
            torch=lambda F, x, g, b, eps, activation: TORCH_ACTIVATIONS[activation](
                F, F.batch_norm(x, None, None, g, b, training=True, eps=eps)
            ),
            variant=activation,
        )
        for activation in JAX_ACTIVATIONS
    ),
    Case(
        "batchnorm_eval",
        lambda rng, n, d: (*normalizer(rng, n, d), rng.standard_normal(d), rng.uniform(0.5, 2, d)),
        lambda x, g, b, mean, var, eps: g * (x - mean) * jax.lax.rsqrt(var + eps) + b,
        {"eps": 1e-3},
        constants=2,
        torch=lambda F, x, g, b, mean, var, eps: F.batch_norm(x, mean, var, g, b, eps=eps),
    ),
    Case(
        "layernorm",
        normalizer,
        layernorm_by_jax,
        {"eps": 1e-3},
        torch=lambda F, x, g, b, eps: F.layer_norm(x, x.shape[1:], g, b, eps),
    ),
    Case("softmax", features, jax.nn.softmax, torch=lambda F, x: F.softmax(x, dim=-1)),
    Case("log_softmax", features, jax.nn.log_softmax, torch=lambda F, x: F.log_softmax(x, dim=-1)),
    Case(
        "softmax_cross_entropy",
        labelled,
        cross_entropy_of,
        constants=1,
        torch=lambda F, x, y: F.cross_entropy(x, y),
        variant="labels",
    ),
    Case(
        "softmax_cross_entropy",
        with_targets,
        cross_entropy_of,
        constants=1,
        torch=lambda F, x, t: F.cross_entropy(x, t),
        variant="probabilities",
    ),
    Case(
        "softmax_cross_entropy",
        labelled,
        cross_entropy_of,
        {"label_smoothing": 0.1},
        constants=1,
        torch=lambda F, x, y, label_smoothing: F.cross_entropy(x, y, label_smoothing=label_smoothing),
        variant="smoothing",
    ),
    Case(
        "negative_log_likelihood",
        labelled,
        lambda logp, y: -jnp.mean(jnp.take_along_axis(logp, y[:, None], axis=1)),
        constants=1,
        torch=lambda F, logp, y: F.nll_loss(logp, y),
    ),
    Case("hinge", on_a_grid, hinge_by_pairs, {"margin": 0.5}, constants=1, variant="margin"),
    Case(
        "hinge",
        on_a_grid,
        hinge_by_pairs,
        constants=1,
        # PyTorch divides by the number of classes as well.
        torch=lambda F, x, y: F.multi_margin_loss(x, y) * x.shape[1],
    ),
    Case(
        "mean_squared_error",
        with_targets,
        lambda x, t: jnp.mean(jnp.square(x - t)),
        constants=1,
        torch=lambda F, x, t: F.mse_loss(x, t),
    ),
    Case(
        "squared_error",
        with_targets,
        lambda p, t: jnp.vdot(p - t, p - t) / 2,
        constants=1,
        torch=lambda F, p, t: F.mse_loss(p, t, reduction="sum") / 2,
    ),
    Case(
        "cross_entropy",
        lambda rng, n, d: (probabilities(rng, n, d), one_hot(rng, n, d)),
        lambda p, t, eps: -jnp.log((p * t).sum(axis=1) + eps).sum(),
        {"eps": 1e-2},
        constants=1,
        bounded=True,
    ),
    Case(
        "log_likelihood",
        lambda rng, n, d: (probabilities(rng, n, d), one_hot(rng, n, d)),
        lambda p, t: -jnp.log2((p * t).sum(axis=1)).sum(),
        constants=1,
        bounded=True,
    ),
    *IMAGE_CASES,
]
