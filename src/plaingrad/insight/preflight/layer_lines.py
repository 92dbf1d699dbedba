"""Lines about what flows through the layers and back, at the initial weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from plaingrad.accumulation import loss_and_gradients
from plaingrad.insight.facts import LayerFacts
from plaingrad.insight.layer_facts import parameter_facts
from plaingrad.insight.preflight.report import Line
from plaingrad.insight.preflight.subject import MEASURED, Subject

# A ReLU that is 0 for all of 200 samples gets no gradient from any of them.  At random weights that is a
# few per cent, up to a third after twenty layers without normalisation (Lu et al. 2019, arXiv:1903.06733).
MANY_DEAD, ALL_DEAD = 0.4, 0.95
# A saturated unit lets through 4 % of its gradient or less (Glorot & Bengio 2010, AISTATS, section 3).
MANY_SATURATED, ALL_SATURATED = 0.4, 0.95
# Layers of weights 0.01 let through a fifteenth each, of weights 1 seven times what came; four of them
# make a thousand.  He's and Xavier's weights keep it within 10 over twenty layers.
SCALE_APART = 1e3
# Gradients relative to weights, the largest over the smallest: with He's weights and ReLU about 30, of
# ResNet-20 80, of six sigmoid layers, which hardly learn, 2,000.
RELATIVE_APART, HOPELESS = 1e3, 1e6
# A gradient below this share of the weights needs a learning rate above 100 to change them by 1 % in a step.
TINY = 1e-4


def activations(subject: Subject) -> Line:
    """Whether outputs are finite, units alive and not saturated, and layers keep the scale of what they get."""
    name = "activations"
    if subject.measured is None:
        return Line(name, "skipped", "only the layers of a plaingrad Network can be looked into")
    layers = subject.measured.layers
    numbers = {"layers": [vars(layer) for layer in layers]}
    broken = next((layer for layer in layers if not layer.finite), None)
    if broken:
        return Line(
            name, "fail", f"the output of {broken.name} is not finite, the first of all",
            "normalise the inputs, or make the initial weights smaller", numbers,
        )  # fmt: skip
    worst = {
        "dead": max((x for x in layers if x.kind == "relu"), key=lambda x: x.dead, default=None),
        "saturated": max(
            (x for x in layers if x.saturated is not None), key=lambda x: x.saturated or 0, default=None
        ),
    }
    for what, many, everything, advice in (
        ("dead", MANY_DEAD, ALL_DEAD, "centre the inputs, use He's initial weights, or put a normalisation before"),
        ("saturated", MANY_SATURATED, ALL_SATURATED,
         "normalise the inputs, use Xavier's initial weights, or put a normalisation before"),
    ):  # fmt: skip
        layer = worst[what]
        share = getattr(layer, what) if layer else 0.0
        if layer and share > many:
            units = "units are 0 for all samples" if what == "dead" else "outputs are saturated"
            state = "fail" if share > everything else "warn"
            return Line(name, state, f"{100 * share:.0f} % of the {units} in {layer.name}", advice, numbers)
    hidden = _weighted(layers)[:-1]
    if problem := _scales(hidden):
        return Line(
            name, "warn", problem,
            "use He's initial weights (ReLU) or Xavier's (tanh, sigmoid), or normalisation layers", numbers,
        )  # fmt: skip
    shares = [f"{100 * (layer.dead or 0):.0f} % dead in {layer.name}" for layer in [worst["dead"]] if layer]
    shares += [
        f"{100 * (layer.saturated or 0):.0f} % saturated in {layer.name}"
        for layer in [worst["saturated"]]
        if layer
    ]
    largest = f"at most {' and '.join(shares)}; " if shares else ""
    deviations = [layer.std for layer in _weighted(layers)]
    scale = f"standard deviations from {min(deviations):.2g} to {max(deviations):.2g}" if deviations else ""
    return Line(name, "pass", f"{largest}{scale}" or "finite", numbers=numbers)


def gradient_flow(subject: Subject) -> Line:
    """Whether all weights get gradients of a like size, beside the size of the weights themselves."""
    name = "gradient-flow"
    X, y = subject.batch(MEASURED)
    model = subject.fresh().model
    with np.errstate(all="ignore"):
        _, grads = loss_and_gradients(model, X, y, step=0)
    relative = {
        fact.name: fact.gradient / fact.norm
        for fact in parameter_facts(model.params, grads)
        if np.ndim(model.params[fact.name]) > 1 and fact.norm > 0
    }
    numbers: dict[str, Any] = {"relative": relative}
    if not relative:
        return Line(name, "skipped", "there are no weights other than 0")
    bad = [weight for weight, ratio in relative.items() if not math.isfinite(ratio)]
    if bad:
        return Line(
            name, "fail", f"the gradient of {bad[0]} is not finite", "normalise the inputs; see activations", numbers
        )  # fmt: skip
    (low, smallest), (high, largest) = (
        pick(relative.items(), key=lambda item: item[1]) for pick in (min, max)
    )
    finding = f"gradients are {smallest:.1e} ({low}) to {largest:.1e} ({high}) of the weights"
    if smallest == 0:
        return Line(
            name, "fail", f"the gradient of {low} is 0: it learns nothing",
            "look whether units before or after it are dead, or the backward pass leaves it out", numbers,
        )  # fmt: skip
    layers = subject.measured.layers if subject.measured else ()
    if problem := _exploding(layers):
        return Line(
            name, "warn", problem, "use He's or Xavier's initial weights, normalisation layers, or clip_norm", numbers
        )  # fmt: skip
    if largest > RELATIVE_APART * smallest:
        return Line(
            name, "fail" if largest > HOPELESS * smallest else "warn",
            f"{finding}: they vanish on the way back",
            "use ReLU instead of sigmoid, normalisation layers, or a residual connection", numbers,
        )  # fmt: skip
    if largest < TINY:
        return Line(
            name, "warn", f"{finding}: no learning rate in use makes steps of them",
            "use He's initial weights, or scale the inputs up", numbers,
        )  # fmt: skip
    return Line(name, "pass", finding, numbers=numbers)


def _weighted(layers: tuple[LayerFacts, ...]) -> list[LayerFacts]:
    return [layer for layer in layers if layer.kind in ("affine", "conv")]


def _scales(hidden: list[LayerFacts]) -> str:
    """How outputs shrink or grow from layer to layer, if they do by much; "" if not."""
    if len(hidden) < 2:
        return ""
    first, last = hidden[0], hidden[-1]
    small, large = sorted((first.std, last.std))
    if large <= SCALE_APART * small:
        return ""
    verb = "shrink" if last.std < first.std else "grow"
    return f"outputs {verb} from a standard deviation of {first.std:.1e} ({first.name}) to {last.std:.1e} ({last.name})"


def _exploding(layers: tuple[LayerFacts, ...]) -> str:
    """How gradients grow on the way back, if they do by much; "" if not."""
    hidden = [layer for layer in _weighted(layers)[:-1] if layer.gradient]
    if len(hidden) < 2:
        return ""
    first, last = hidden[0], hidden[-1]
    if first.gradient is None or last.gradient is None or first.gradient <= SCALE_APART * last.gradient:
        return ""
    return (
        f"gradients explode on the way back, from {last.gradient:.1e} at {last.name} to {first.gradient:.1e} at "
        f"{first.name}"
    )
