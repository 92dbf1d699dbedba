"""What a network computes, measured on one batch: every layer's outputs and gradients, parameters, scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from plaingrad.insight.facts import LayerFacts, ParameterFacts, ScoreFacts
from plaingrad.network import Layer, Network

Array = np.ndarray

# The bounds that an activation's outputs approach, and how near counts as saturated.  There the slope is 4 % of
# the sigmoid's largest, 2 % of that of tanh.
_BOUNDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
_NEAR = 0.01


class MeasuredPass(NamedTuple):
    """One forward and backward pass in training mode: the loss, L2 left out, its gradients, the layers in order."""

    loss: float
    gradients: dict[str, Array]
    layers: tuple[LayerFacts, ...]


def measured_pass(network: Network, X: Array, y: Array) -> MeasuredPass:
    """Run a batch X (N, ...), y (N,) through the network and back, and measure every layer on the way.

    The layers are those of `network.layers`, combinators left out, in the order in which they run; a layer
    that runs twice is there twice.  They are run one by one, so outputs that training joins into one op are
    seen too.  The network stays as it was: parameters, running statistics and step.
    """
    seen: list[LayerFacts] = []
    uses: dict[str, list[int]] = {}  # by name, where in `seen`; the last use is the first to come back

    def observe(layer: Layer, out: Array) -> None:
        uses.setdefault(layer.name, []).append(len(seen))
        seen.append(output_facts(layer, out))

    def observe_gradient(layer: Layer, dout: Array) -> None:
        at = uses[layer.name].pop()
        gradient = len(X) * math.sqrt(np.mean(np.square(dout, dtype=np.float64)))
        seen[at] = LayerFacts(**{**vars(seen[at]), "gradient": gradient})

    run = network._pass(train=True, observe=observe)  # by the layers' names, whatever `params` are called
    run.state, run.observe_gradient = network.state.copy().groups, observe_gradient
    with np.errstate(all="ignore"):  # what is not finite is a fact
        scores, cache = run.forward(network.layers, network._input(X))
        loss, loss_cache = network.objective.forward(scores, np.asarray(y))
        run.backward(network.layers, network.objective.backward(loss_cache), cache, needs_dx=False)
    gradients = {".".join(key): gradient for key, gradient in run.gradients.items()}
    return MeasuredPass(float(loss), gradients, tuple(seen))


def layer_facts(network: Network, X: Array, y: Array) -> tuple[LayerFacts, ...]:
    """The layers of a `measured_pass`."""
    return measured_pass(network, X, y).layers


def output_facts(layer: Layer, out: Array) -> LayerFacts:
    """Facts of a layer's output (N, D) or (N, C, H, W), without its gradient."""
    finite = np.isfinite(out)
    whole = bool(finite.all())
    values = out if whole else out[finite]
    zero = out == 0
    over = tuple(axis for axis in range(out.ndim) if axis != 1)  # samples and places; what is left are units
    dead = zero.all(axis=over)
    bounds = _BOUNDS.get(layer.kind)
    return LayerFacts(
        name=layer.name,
        kind=layer.kind,
        mean=float(values.mean(dtype=np.float64)) if values.size else 0.0,
        std=float(values.std(dtype=np.float64)) if values.size else 0.0,
        zero=float(zero.mean()),
        dead=float(dead.mean()),
        units=int(dead.size),
        saturated=None if bounds is None else _saturated(out, *bounds),
        gradient=None,
        finite=whole,
    )


def _saturated(out: Array, low: float, high: float) -> float:
    return float(((out < low + _NEAR) | (out > high - _NEAR)).mean())


def parameter_facts(
    params: Mapping[str, Any], gradients: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> tuple[ParameterFacts, ...]:
    """Facts of each parameter that has a gradient; `before` holds the values before the last update."""

    def norm(array: Any) -> float:
        flat = np.asarray(array, dtype=np.float64).reshape(-1)
        return math.sqrt(np.einsum("i,i", flat, flat))  # a product of the BLAS library would wake its threads

    return tuple(
        ParameterFacts(
            name=name,
            size=int(np.size(value)),
            norm=norm(value),
            std=float(np.std(value, dtype=np.float64)),
            gradient=norm(gradients[name]),
            update=0.0 if before is None else norm(np.subtract(value, before[name], dtype=np.float64)),
        )
        for name, value in params.items()
        if name in gradients
    )


def score_facts(scores: Array, y: Array) -> ScoreFacts:
    """Facts of scores (N, C) for samples with labels y (N,)."""
    scores = np.asarray(scores, dtype=np.float64)
    with np.errstate(all="ignore"):
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_normalizer = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        logs = shifted - log_normalizer
        own = np.arange(len(y)), y
        std = float(scores.std())
        guesses = scores.argmax(axis=1)
        return ScoreFacts(
            low=float(scores.min()),
            high=float(scores.max()),
            std=std,
            loss=float(-logs[own].mean()),
            nll=float(-scores[own].mean()),
            probabilities=_are_probabilities(scores),
            log_probabilities=_are_probabilities(np.exp(scores)),
            spread=float(scores.std(axis=0).mean() / std) if std else 0.0,
            confidence=float(np.exp(logs.max(axis=1)).mean()),
            predicted=tuple(np.bincount(guesses, minlength=scores.shape[1]).tolist()),
            accuracy=float((guesses == y).mean()),
        )


def _are_probabilities(values: Array) -> bool:
    """Whether all are in [0, 1] and rows sum to 1, as far as float32 can hold them to that."""
    return bool(
        (values >= 0).all() and (values <= 1 + 1e-5).all() and np.allclose(values.sum(axis=1), 1, atol=1e-4)
    )
