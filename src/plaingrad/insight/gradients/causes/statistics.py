"""Means, variances and softmax: taken for constants by the backward pass, or taken along another axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from plaingrad.insight.gradients.causes.ratios import factor, penalty_of
from plaingrad.insight.gradients.evidence import Evidence, Named
from plaingrad.insight.gradients.nearness import from_the_loss

Array = np.ndarray
Axes = tuple[int, ...]


class _Cut(NamedTuple):
    """A way to cut an array into slices, each normalised by itself: in words, and to rows and back."""

    told: str
    rows: Callable[[Array], Array]
    back: Callable[[Array], Array]


def statistics_constant(e: Evidence, name: str) -> Named | None:
    """N is A with its mean, or its part along x̂, removed along some axes."""
    if e.is_model:
        return _invariance(e, name)
    a, n, x = e.claimed[name], e.numeric(name), e.arrays[name]
    if a.shape != e.out.shape or np.isnan(n).any():
        return None
    for cut in _cuts(x.shape):
        off, centred = cut.rows(a - n), cut.rows(x)
        if off.shape[1] < 3 or off.size - 2 * len(off) < 3:
            continue
        size = np.linalg.norm(off)
        free = cut.rows(_unprojected(e, name, cut))  # the gradient if all statistics were constants
        if np.linalg.norm(cut.rows(n).sum(axis=1)) <= 1e-5 * np.linalg.norm(n):
            centred = centred - centred.mean(axis=1, keepdims=True)
            mean, along = off.mean(axis=1, keepdims=True), _along(off, centred)
            if np.linalg.norm(off - mean - along) > 1e-5 * size:
                continue
            parts = {
                "mean": (mean, free.mean(axis=1, keepdims=True)),
                "variance": (along, _along(free, centred)),
            }
        else:  # no mean is removed, as in RMS normalisation: x̂ is x itself
            along = _along(off, centred)
            if np.linalg.norm(off - along) > 1e-5 * size:
                continue
            parts = {"mean square": (along, _along(free, centred))}
        lacking = {what: _times(part, whole) for what, (part, whole) in parts.items()}
        if not np.isfinite(free).all():  # an element that does not show in the measured gradient at all
            lacking = {w: float(np.linalg.norm(part) > 1e-4 * size) for w, (part, _) in parts.items()}
        missing = [what for what, k in lacking.items() if abs(k - 1) < 0.05]
        if not missing or any(abs(k) > 0.05 and abs(k - 1) >= 0.05 for k in lacking.values()):
            told = ", ".join(f"{what} {1 - k:.3g}" for what, k in lacking.items())
            return Named(
                "unknown",
                f"The gradient of {name} is that of a normalisation over {cut.told}, but the terms for its "
                f"statistics have other factors than 1: {told}.",
            )
        return Named(
            "statistics_constant",
            f"Claimed minus measured gradient of {name} is, over {cut.told}, "
            f"{' plus '.join('a constant' if what == 'mean' else f'a multiple of {name}' for what in missing)} and "
            f"nothing else: backward treats the {' and the '.join(missing)} as constant, though {name} moves "
            f"{'it' if len(missing) == 1 else 'them'}.",
        )
    return None


def wrong_axis(e: Evidence, name: str) -> Named | None:
    """A is right along other axes: of a sum, of a softmax, of a normalisation."""
    if e.is_model:
        return None
    return _other_sum(e, name) or _other_softmax(e, name) or _other_balance(e, name) or _other_means(e, name)


def _other_sum(e: Evidence, name: str) -> Named | None:
    """A sums the terms that N sums, along other axes of the output."""
    a, n, slopes = e.claimed[name], e.numeric(name), e.jacobian(name)
    if n.size >= e.out.size or np.isnan(slopes).any():
        return None
    terms = (slopes * e.dout.reshape(-1, 1)).sum(axis=1).reshape(e.out.shape)
    for axes in _axes(e.out.ndim):
        summed = terms.sum(axis=axes)
        if summed.size == a.size and e.matches(a, summed.reshape(a.shape)):
            return Named(
                "wrong_axis",
                f"The gradient of {name} is the sum over axes {list(axes)} of the output, which has the same shape: "
                "the sum must be taken over the others.",
            )
    return None


def _other_softmax(e: Evidence, name: str) -> Named | None:
    """A − N is a multiple of the difference between two softmaxes of x."""
    a, n, x = e.claimed[name], e.numeric(name), e.arrays[name]
    if a.shape != n.shape or x.ndim < 2:
        return None
    shares = {}
    for axes in _axes(x.ndim):
        raised = np.exp(x - x.max(axis=axes, keepdims=True))
        shares[axes] = raised / raised.sum(axis=axes, keepdims=True)
    for right, p in shares.items():
        for other, q in shares.items():
            if right != other and factor(e, a - n, q - p) is not None:
                return Named(
                    "wrong_axis",
                    f"Claimed minus measured gradient of {name} is a multiple of softmax over axes {list(other)} minus "
                    f"softmax over axes {list(right)}: backward normalises over axes {list(other)}, forward over "
                    f"{list(right)}.",
                )
    return None


def _other_balance(e: Evidence, name: str) -> Named | None:
    """N adds up to 0 along some axes, as where a mean or a softmax is taken; A does so along others."""
    a, n = e.claimed[name], e.numeric(name)
    if n.ndim < 2 or np.isnan(n).any():
        return None
    right, told = _balanced(n), _balanced(a)
    if not right or not told or any(_vanishes(a, axes) for axes in right):
        return None
    return Named(
        "wrong_axis",
        f"The measured gradient of {name} adds up to 0 along axes {list(right[0])}, as where a mean or a softmax is "
        f"taken along them; the claimed one does so along axes {list(told[0])}: backward takes its sums along these.",
    )


def _other_means(e: Evidence, name: str) -> Named | None:
    """A is what normalisation along the forward pass's axes gives with the backward pass's means over others."""
    a, n, x = e.claimed[name], e.numeric(name), e.arrays[name]
    if a.shape != e.out.shape or np.isnan(n).any() or x.ndim < 2:
        return None
    for cut in _cuts(x.shape):
        rows = cut.rows(x)
        if rows.shape[1] < 3 or np.linalg.norm(cut.rows(n).sum(axis=1)) > 1e-5 * np.linalg.norm(n):
            continue
        spread = cut.back(np.broadcast_to(rows.std(axis=1, keepdims=True), rows.shape))
        xhat = cut.back(
            (rows - rows.mean(axis=1, keepdims=True)) / np.maximum(rows.std(axis=1, keepdims=True), 1e-300)
        )
        g = _unprojected(e, name, cut) * spread
        for other in _cuts(x.shape):
            of_g = _mean(other, g)
            for means in (of_g + xhat * _mean(other, g * xhat), of_g):
                guess = (g - means) / spread
                # To a thousandth: the ε under the root is not known.
                if other.told != cut.told and np.linalg.norm(a - guess) <= 1e-3 * np.linalg.norm(a):
                    return Named(
                        "wrong_axis",
                        f"The gradient of {name} is, to a thousandth, what the formula gives with its means over "
                        f"{other.told}; the forward pass normalises over {cut.told}.",
                    )
    return None


def _unprojected(e: Evidence, name: str, cut: _Cut) -> Array:
    """The gradient of x if the statistics over the slices were constants, from the Jacobian's diagonal.

    That diagonal is D_j (1 − 1/n − x̂_j²/n), where D is wanted; without a mean, as in RMS, nearly so.
    NaN where that factor is next to 0.
    """
    x = cut.rows(e.arrays[name])
    n = x.shape[1]
    if np.linalg.norm(cut.rows(e.numeric(name)).sum(axis=1)) <= 1e-5 * np.linalg.norm(e.numeric(name)):
        centred = x - x.mean(axis=1, keepdims=True)
        left = 1 - 1 / n - _hat_square(centred) / n
        has_variance = np.linalg.norm(_along(cut.rows(e.numeric(name)), centred)) <= 1e-2 * np.linalg.norm(
            e.numeric(name)
        )
        left = left if has_variance else np.full(x.shape, 1 - 1 / n)
    else:
        left = 1 - _hat_square(x) / n
    own = np.diagonal(e.jacobian(name)).reshape(e.out.shape) * e.dout
    return np.where(np.abs(cut.back(left)) > 1e-2, own / cut.back(left), np.nan)


def _hat_square(rows: Array) -> Array:
    return rows**2 / np.maximum(np.mean(rows**2, axis=1, keepdims=True), 1e-300)


def _along(rows: Array, base: Array) -> Array:
    """The part of each row that is a multiple of the base's row."""
    length = np.maximum(np.sum(base**2, axis=1, keepdims=True), 1e-300)
    return np.sum(rows * base, axis=1, keepdims=True) / length * base


def _times(part: Array, whole: Array) -> float:
    """How many times `whole` is in `part`."""
    return float(np.sum(part * whole) / max(np.sum(whole**2), 1e-300))


def _mean(cut: _Cut, values: Array) -> Array:
    rows = cut.rows(values)
    return cut.back(np.broadcast_to(rows.mean(axis=1, keepdims=True), rows.shape))


def _balanced(n: Array) -> list[Axes]:
    """The sets of axes along which n adds up to 0, without those that only contain another such set."""
    found: list[Axes] = []
    for axes in _axes(n.ndim):
        if not any(set(inner) <= set(axes) for inner in found) and _vanishes(n, axes):
            found.append(axes)
    return found


def _vanishes(n: Array, axes: Axes) -> bool:
    """Whether the sums along the axes, of more than one element each, are 0 beside what is summed."""
    if all(n.shape[axis] == 1 for axis in axes):
        return False
    return bool(np.any(n)) and bool(np.linalg.norm(n.sum(axis=axes)) <= 1e-5 * np.linalg.norm(n))


def _axes(ndim: int) -> list[Axes]:
    return [axes for count in range(1, ndim + 1) for axes in combinations(range(ndim), count)]


def _cuts(shape: Axes) -> Iterator[_Cut]:
    """Slices over every set of axes, and over groups of channels with all pixels."""
    for axes in _axes(len(shape)):
        order = [axis for axis in range(len(shape)) if axis not in axes] + list(axes)
        moved = tuple(shape[axis] for axis in order)
        length = int(np.prod([shape[axis] for axis in axes]))
        yield _Cut(
            f"axes {list(axes)}" if len(axes) > 1 else f"axis {min(axes)}",
            lambda z, order=order, length=length: z.transpose(order).reshape(-1, length),
            lambda z, order=order, moved=moved: z.reshape(moved).transpose(np.argsort(order)),
        )
    channels = list(shape)[1] if len(shape) > 2 else 0
    for groups in range(2, channels // 2 + 1):
        if channels % groups == 0:
            yield _Cut(
                f"{groups} groups of channels",
                lambda z, groups=groups: z.reshape(len(z) * groups, -1),
                lambda z: z.reshape(shape),
            )


def _invariance(e: Evidence, name: str) -> Named | None:
    """In a model: normalisation makes N orthogonal to what it removes; A is not."""
    if e.arrays[name].ndim not in (1, 2, 4):
        return None
    r = penalty_of(e, name)[0] or 0.0
    p = e.arrays[name]
    a, n = e.claimed[name] - r * p, e.numeric(name) - r * p
    if np.isnan(n).any():
        return None
    if p.ndim == 1:
        if np.linalg.norm(n) <= 1e-8 * e.overall < np.linalg.norm(a):
            return Named(
                "statistics_constant",
                f"The loss does not depend on {name} at all, as before a normalisation that removes the mean, but the "
                f"claim goes up to {np.max(np.abs(a)):.4g}: backward treats the mean as constant.",
                "statistics_constant",
            )
        return None
    axes = (0,) if p.ndim == 2 else (1, 2, 3)
    size = np.linalg.norm(n) * np.linalg.norm(p)
    scale_n, scale_a = (np.linalg.norm((g * p).sum(axis=axes)) / size for g in (n, a))
    shift_n, shift_a = (
        np.linalg.norm(g.sum(axis=1 if p.ndim == 2 else 0)) / np.linalg.norm(n) for g in (n, a)
    )
    # The last layer's mean does not matter to a softmax either: only its bias is nearer to the loss.
    last = from_the_loss(e.subject).index(name) < 2
    if scale_n < 1e-3 < 10 * scale_n + 1e-2 < scale_a or (shift_n < 1e-5 < 1e-3 < shift_a and not last):
        what = "size of each column" if scale_n < 1e-3 < scale_a else "mean over the units"
        return Named(
            "statistics_constant",
            f"The loss does not depend on the {what} of {name}, as a normalisation after it removes that, and the "
            "measured gradient has no part along it; the claimed one has: backward treats the statistics as constant.",
            "statistics_constant",
        )
    return None
