"""Rules about the signal on its way through the network: forward as outputs, backward as gradients."""

from __future__ import annotations

import math
from typing import NamedTuple

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence, Look
from plaingrad.insight.doctor.rules.readings import is_bias, number
from plaingrad.insight.facts import ParameterFacts

ACTIVATIONS = ("relu", "leakyrelu", "elu", "sigmoid", "tanh", "gelu", "silu")

# The gradient at the first hidden layer over that at the last one. He's and Xavier's scales keep it near 1,
# within a factor of about 10; at a hundredth the first layers learn a hundred times slower.
VANISHED = 1e-2
EXPLODED = 30.0


def vanishing_gradients(evidence: Evidence) -> Finding | None:
    """Near the input, gradients are a small fraction of those near the output."""
    found = _gradient_ratio(evidence)
    if found is None or found.ratio > VANISHED:
        return None
    return Finding(
        "vanishing_gradients",
        0.9 if found.ratio < VANISHED / 10 else 0.75,
        f"Gradients vanish on their way back: {found.first} gets {number(found.ratio)} of what {found.last} "
        "gets.",
        found.seen,
        "Every layer multiplies the gradient by its weights and by the slope of its activation. Factors "
        "below 1, such as the sigmoid's slope of at most 1/4, are multiplied with each other: many layers "
        "leave nothing.",
        "Put batch normalisation before each activation (with ReLU in place of sigmoid or tanh).",
        {"network.normalization": "batchnorm"},
    )


def exploding_gradients(evidence: Evidence) -> Finding | None:
    """Near the input, gradients are a large multiple of those near the output."""
    found = _gradient_ratio(evidence)
    if found is None or found.ratio < EXPLODED:
        return None
    return Finding(
        "exploding_gradients",
        0.9 if found.ratio > 10 * EXPLODED else 0.75,
        f"Gradients explode on their way back: {found.first} gets {number(found.ratio)} times what "
        f"{found.last} gets.",
        found.seen,
        "Every layer multiplies the gradient by its weights. Factors above 1 are multiplied with each "
        "other, so a step that is right for the last layers throws the first ones far away.",
        "Clip the gradient's norm to 1, and start from He's scale if weights are drawn otherwise.",
        {"training.clip_norm": 1.0},
    )


class _Ratio(NamedTuple):
    """The gradient at a first layer over that at a last one, with what was seen."""

    ratio: float
    first: str
    last: str
    seen: tuple[str, ...]


def _gradient_ratio(evidence: Evidence) -> _Ratio | None:
    """At the first look, before training has changed much."""
    pair = _first_and_last(evidence.looks[0]) if evidence.looks else None
    if pair is None:
        return None
    first, last = pair
    seen = (
        f"the gradient is {number(first[1])} at {first[0]} and {number(last[1])} at {last[0]} (root mean "
        f"square over units, step {evidence.looks[0].step})",
    )
    return _Ratio(first[1] / last[1], first[0], last[0], seen)


def early_looks(evidence: Evidence) -> list[Look]:
    """The looks at the start and up to step 10, else the first one."""
    return [look for look in evidence.looks if look.step <= 10] or list(evidence.looks[:1])


Size = tuple[str, float]


def _first_and_last(look: Look) -> tuple[Size, Size] | None:
    """The root mean square gradients at the first and last hidden layer; None for fewer than three of them.

    By layers where they were measured, else by biases: a bias's gradient is the sum of its unit's.
    """
    sizes = [(f.name, f.gradient) for f in look.layers if f.kind in ACTIVATIONS and f.gradient]
    if not look.layers:
        biases = [p for p in look.parameters if p.name.rpartition(".")[2].lower().startswith("b")]
        shifts = [p for p in biases if "beta" in p.name.lower() or "norm" in p.name.lower()]
        biases = shifts or biases[:-1]  # before a normalisation, other biases have no gradient
        sizes = [(p.name, p.gradient / math.sqrt(p.size)) for p in biases if p.gradient > 0]
    if len(sizes) < 3 or not all(math.isfinite(size) for _, size in sizes):
        return None
    return sizes[0], sizes[-1]


def weight_facts(look: Look) -> list[ParameterFacts]:
    """The parameters that are weights, by their names, in order."""
    return [p for p in look.parameters if p.size > 1 and not is_bias(p.name)]


def weight_gains(look: Look) -> list[tuple[str, float]]:
    """√(fan-in) times the standard deviation of each weight, by how many units its layer has, where that is known.

    A weight's square norm is fan-in · units · σ².
    """
    units = {f.name: f.units for f in look.layers}
    facts = list(look.parameters)
    gains = []
    for p, after in zip(facts, (*facts, None)[1:], strict=True):
        if p.size == 1 or is_bias(p.name):
            continue
        layer = p.name.rpartition(".")[0]
        count = after.size if after is not None and is_bias(after.name) else units.get(layer)
        if count and count < p.size:
            gains.append((p.name, p.norm / math.sqrt(count)))
    return gains
