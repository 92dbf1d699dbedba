"""The right numbers in the wrong places, or a factor that is turned around."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plaingrad.insight.gradients.evidence import Evidence, Named

Array = np.ndarray


def transposed(e: Evidence, name: str) -> Named | None:
    """A = Nᵀ."""
    a, n = e.claimed[name], e.numeric(name)
    if a.ndim != 2 or not e.matches(a.T, n):
        return None
    return Named("transposed", f"The gradient of {name} is the right one transposed.", "transposed")


def permuted(e: Evidence, name: str) -> Named | None:
    """A has N's values at other places, which are named where they are a flip, a swap or a reshape."""
    a, n = e.claimed[name], e.numeric(name)
    if a.shape != n.shape or a.size < 2 or np.isnan(n).any() or np.ptp(n) == 0:
        return None
    if not e.matches(np.sort(a.ravel()), np.sort(n.ravel())) or np.unique(np.round(n, 9)).size < 2:
        return None
    told = next((words for words, moved in arrangements(n) if e.matches(a, moved)), "in another order")
    return Named("permuted", f"The gradient of {name} has the right values, {told}.", "permuted")


def exchanged(e: Evidence, name: str) -> Named | None:
    """A is the gradient of another array, and perhaps the other way round too."""
    a = e.claimed[name]
    for other in e.arrays:
        if other == name or other not in e.claimed or e.arrays[other].shape != a.shape:
            continue
        n = e.numeric(other)
        if np.any(n[np.isfinite(n)]) and e.matches(a, n) and not e.matches(a, e.numeric(name)):
            told = f"What backward returns for {name} is the gradient of {other}"
            if e.matches(e.claimed[other], e.numeric(name)):
                why = f"{told}, and the other way round: they are returned in the wrong order."
                return Named("permuted", why, ("exchanged", frozenset((name, other))))
            return Named("unknown", f"{told}: what tells the two apart is left out.")
    return None


def shifted(e: Evidence, name: str) -> Named | None:
    """A is N moved by one or two places along the last axes, as by a padding cut off at the wrong side."""
    a, n = e.claimed[name], e.numeric(name)
    if a.ndim < 3 or np.isnan(n).any():
        return None
    for by in (1, 2, -1, -2):
        for axes in ((-2, -1), (-1,), (-2,)):
            inside = [slice(None)] * a.ndim
            for axis in axes:
                inside[axis] = slice(max(by, 0), a.shape[axis] + min(by, 0))
            moved = np.roll(n, [by] * len(axes), axes)[tuple(inside)]
            if moved.size >= a.size / 4 and np.any(moved) and e.matches(a[tuple(inside)], moved):
                return Named(
                    "permuted",
                    f"The gradient of {name} is the right one moved by {by} along "
                    f"axes {[a.ndim + axis for axis in axes]}: the padding is cut off at the wrong place.",
                )
    return None


def turned_factor(e: Evidence, name: str) -> Named | None:
    """A = N of the same op with another array transposed or flipped: the factor is used the wrong way round."""
    if e.is_model:
        return None
    a = e.claimed[name]
    for other, array in e.arrays.items():
        if other == name or array.ndim < 2 or array.size > 3000:
            continue
        for words, moved in arrangements(array):
            if moved.shape != array.shape or np.array_equal(moved, array):
                continue
            with e.replaced(other, moved) as measure:
                agrees = e.matches(a, measure(name))
            if agrees:
                code = "transposed" if array.ndim == 2 and "swapped" in words else "permuted"
                told = "transposed" if code == "transposed" else words
                return Named(
                    code,
                    f"The gradient of {name} is what the differences give with {other} {told}: backward uses "
                    f"{other} the wrong way round.",
                )
    return None


def arrangements(n: Array) -> Iterator[tuple[str, Array]]:
    """What can be done to the order of an array's elements by mistake, in words, with the result."""
    axes = range(n.ndim)
    for first in axes:
        for second in range(first + 1, n.ndim):
            if n.shape[first] == n.shape[second]:
                yield f"with axes {first} and {second} swapped", np.swapaxes(n, first, second)
    if n.ndim >= 2:
        yield "flipped along the last two axes", n[..., ::-1, ::-1]
    for axis in axes:
        yield f"flipped along axis {axis}", np.flip(n, axis)
    for first in axes:
        for second in range(first + 1, n.ndim):
            swapped = np.swapaxes(n, first, second)
            yield f"reshaped after axes {first} and {second} were swapped", swapped.reshape(n.shape)
            lengths = list(n.shape)
            lengths[first], lengths[second] = lengths[second], lengths[first]
            yield (
                f"reshaped before axes {first} and {second} were swapped",
                np.swapaxes(n.reshape(lengths), first, second),
            )
    yield "in column order (Fortran's) instead of row order", n.ravel().reshape(n.shape, order="F")
    yield "in row order instead of column order (Fortran's)", n.ravel(order="F").reshape(n.shape)
    for axis in axes:
        for by in (1, -1):
            yield f"moved by {by} along axis {axis}", np.roll(n, by, axis)
