"""Which elements are wrong, in words."""

from __future__ import annotations

import numpy as np

from plaingrad.insight.gradients.evidence import Evidence

Array = np.ndarray


def where_wrong(e: Evidence, name: str) -> str:
    """A few words for the set of wrong elements, the most telling ones that fit."""
    wrong, n = e.differs(name), e.numeric(name)
    known = np.isfinite(n)
    count = int(wrong.sum())
    if not count:
        return "no single element by itself"
    if wrong[known].all():
        return "all elements"
    if count == 1:
        return f"one element, {tuple(map(int, np.argwhere(wrong)[0]))}"
    labels = e.subject.labels
    if (
        labels is not None
        and wrong.ndim == 2
        and len(wrong) == len(labels)
        and np.max(labels) < wrong.shape[1]
    ):
        at_labels = np.zeros(wrong.shape, bool)
        at_labels[np.arange(len(labels)), labels] = True
        if np.array_equal(wrong, at_labels & known):
            return "the label positions"
    size = np.max(np.abs(n[known]), initial=0)
    masked = known & (np.abs(n) <= 1e-9 * size)
    if np.array_equal(wrong, masked):
        return "the masked elements, whose slope is 0"
    if not wrong[masked].any() and wrong[known & ~masked].all():
        return "all elements that are not masked"
    if wrong.ndim > 1:
        return _slices(wrong, known) or f"{count} of {int(known.sum())} elements"
    told = ", ".join(map(str, np.flatnonzero(wrong)[:6]))
    return f"elements {told}{', …' if count > 6 else ''}"


def _slices(wrong: Array, known: Array) -> str:
    """Whole slices along one axis, if the wrong elements are such."""
    for axis in range(wrong.ndim):
        others = tuple(a for a in range(wrong.ndim) if a != axis)
        touched, whole = wrong.any(axis=others), (wrong | ~known).all(axis=others)
        if touched.any() and not touched.all() and np.array_equal(touched, whole & known.any(axis=others)):
            kind = ("rows" if axis == 0 else "columns") if wrong.ndim == 2 else f"slices along axis {axis}"
            told = ", ".join(map(str, np.flatnonzero(touched)[:6]))
            return f"some {kind}: {told}{', …' if touched.sum() > 6 else ''}"
    for axis in range(wrong.ndim):
        touched = wrong.any(axis=tuple(a for a in range(wrong.ndim) if a != axis))
        if not touched.all():
            kind = ("rows" if axis == 0 else "columns") if wrong.ndim == 2 else f"slices along axis {axis}"
            told = ", ".join(map(str, np.flatnonzero(touched)[:6]))
            return f"elements in some {kind}: {told}{', …' if touched.sum() > 6 else ''}"
    return ""
