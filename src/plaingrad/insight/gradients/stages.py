"""Inside a network: which layer, given the right gradient of its output, gives a wrong one of its input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from plaingrad.insight.gradients.claims import claim, malformed
from plaingrad.insight.gradients.evidence import Evidence
from plaingrad.insight.gradients.slopes import Line, Slopes, size_of
from plaingrad.insight.gradients.subjects import Subject, layer_subject, of_pair
from plaingrad.network import Layer, Network, Pass
from plaingrad.network.layer import Combinator


class Stage(NamedTuple):
    """A layer by itself whose backward pass is wrong, and the evidence."""

    name: str
    evidence: Evidence


class _Recording(Pass):
    """A pass that remembers what each layer, combinators included, was given, in order."""

    def forward(self, layer: Layer, x: Any) -> tuple[Any, Any]:
        if not hasattr(self, "seen"):
            self.seen: list[tuple[Layer, Any]] = []
        at = len(self.seen)
        self.seen.append((layer, x))
        result = super().forward(layer, x)
        if isinstance(
            layer, Combinator
        ):  # after its children, so that the innermost wrong one is found first
            self.seen.append(self.seen.pop(at))
        return result


def wrong_stages(subject: Subject) -> Iterator[Stage]:
    """The wrong layers of a network, or of a layer made of layers, from the loss backwards.

    Each is checked by itself, on the input that it has in the whole and a random upstream gradient, so
    that a mistake further on is none of its own.  A combinator counts only if its parts are all right.
    """
    if subject.inside is None or not isinstance(subject.owner, Network | Combinator):
        return
    layer, x, params, state, seed = subject.inside
    run = _Recording(params, state, train=True, seed=seed)
    scores, _ = run.forward(layer, x)
    blamed: set[str] = set()
    if isinstance(subject.owner, Network):
        yield from _objective(subject.owner, scores, subject.others.get("y"))
    for one, given in reversed(run.seen[:-1] if isinstance(subject.owner, Layer) else run.seen):
        if one.name in blamed or isinstance(one, Combinator):
            continue
        wrong = _checked(layer_subject(one, np.array(given, np.float64), params, state, seed), one.name)
        if wrong is not None:
            blamed.add(one.name)
            yield wrong
    if blamed:
        return
    for one, given in run.seen:
        if isinstance(one, Combinator) and one is not subject.owner:
            wrong = _checked(layer_subject(one, np.array(given, np.float64), params, state, seed), one.name)
            if wrong is not None:
                yield wrong
                return


def _objective(net: Network, scores: Any, y: Any) -> Iterator[Stage]:
    """The loss at the end, as a pair."""

    def forward(scores: Any) -> tuple[Any, Any]:
        return net.objective.forward(scores, np.asarray(y))

    def backward(dout: Any, cache: Any) -> Any:
        return dout * np.asarray(net.objective.backward(cache))

    pair = replace(of_pair(forward, backward, (np.array(scores, np.float64),)), labels=_labels(y, scores))
    pair = replace(pair, source=type(net.objective).backward)
    wrong = _checked(pair, type(net.objective).__name__)
    if wrong is not None:
        yield wrong


def _labels(y: Any, scores: Any) -> Any:
    fits = isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iu" and np.ndim(scores) == 2
    return y if fits else None


def _checked(subject: Subject, name: str) -> Stage | None:
    """The stage if any of its gradients is wrong along a random direction."""
    rng = np.random.default_rng(20)
    claimed = claim(subject, rng)
    if claimed.problems:
        return None
    slopes = Slopes(subject.output, claimed.out, claimed.dout, 1e-6, deep=subject.deep)
    wrong = []
    for array_name, array in subject.arrays.items():
        gradient = claimed.gradients.get(array_name)
        if gradient is None or malformed(array_name, array, gradient):
            continue
        direction = rng.choice((-1.0, 1.0), size=array.shape) * rng.uniform(0.5, 1.5, array.shape)
        line = Line(array, ..., direction / max(1, array.size) ** 0.5, size_of(array))
        if slopes.compare(np.asarray(gradient, np.float64), line).fit != "agrees":
            wrong.append(array_name)
    evidence = Evidence(subject, claimed, tuple(wrong))
    with np.errstate(all="ignore"):
        wrong = [n for n in wrong if evidence.differs(n).any()]
    return Stage(name, Evidence(subject, claimed, tuple(wrong))) if wrong else None
