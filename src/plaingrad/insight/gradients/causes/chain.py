"""In a model, one step of the chain rule: from the gradient of a layer's output to that of its input."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plaingrad.insight.gradients.evidence import Evidence, Named

Array = np.ndarray


def step_back(e: Evidence, name: str) -> Named | None:
    """A weight used the wrong way round, or one of several ways back left out.

    With one sample, the gradient d of a bias is the gradient of its layer's output.  Below, the slope of
    the next bias is φ' · Σ W d over the ways back, with φ' unknown but the same in A and N: so
    A · (Σ W d) = N · t tells which term t the backward pass has in its place, whatever φ is.
    """
    if not e.is_model or e.arrays[name].ndim != 1 or not e.subject.batch:
        return None
    proved: list[tuple[str, str]] | None = None
    for i in range(min(3, e.subject.batch)):
        single = e.part([i])
        if single is None or name not in single.claimed:
            return None
        here = list(_explanations(single, name))
        proved = here if proved is None else [told for told in proved if told in here]
    if not proved:
        return None
    code, why = proved[0]
    return Named(code, why)


def _explanations(e: Evidence, name: str) -> Iterator[tuple[str, str]]:
    a, n = e.claimed[name], e.numeric(name)
    if np.isnan(n).any() or not np.any(n):
        return
    terms = dict(_ways(e, name))
    for weight, (right, turned) in terms.items():
        if _same_ratio(a, n, turned, right) and not np.allclose(turned, right):
            yield (
                "transposed",
                f"Sample by sample, the gradient of {name} is what it would be if {weight} were transposed on the way "
                f"back: the forward pass multiplies by {weight}, so backward multiplies by its transpose.",
            )
    for first in terms:
        for second in terms:
            if first != second:
                both = terms[first][0] + terms[second][0]
                if _same_ratio(a, n, terms[first][0], both):
                    yield (
                        "overwritten",
                        f"Sample by sample, the gradient of {name} has the way back through {first} only, that through "
                        f"{second} is missing: the gradients of both branches must be added, `+=` where `=` is.",
                    )


def _ways(e: Evidence, name: str) -> Iterator[tuple[str, tuple[Array, Array]]]:
    """For each matrix that may carry a right gradient back to `name`: W d, and Wᵀ d where that fits too."""
    length = len(e.arrays[name])
    for weight, w in e.arrays.items():
        if w.ndim != 2 or w.shape[0] != length:
            continue
        for bias, d in e.claimed.items():
            if bias != name and d.ndim == 1 and len(d) == w.shape[1] and not e.differs(bias).any():
                turned = w.T @ d if w.shape[0] == w.shape[1] else w @ d
                yield weight, (w @ d, turned)


def _same_ratio(a: Array, n: Array, told: Array, right: Array) -> bool:
    """Whether A : N = told : right, element by element, at two or more elements."""
    left, other = a * right, n * told
    size = max(float(np.linalg.norm(left)), float(np.linalg.norm(other)))
    return bool(np.count_nonzero(n) >= 2 and size > 0 and np.linalg.norm(left - other) <= 1e-5 * size)
