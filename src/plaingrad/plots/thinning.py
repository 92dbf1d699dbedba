"""Fewer points of a curve, without losing what stands out of it."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def thinned(y: Array, most: int = 600) -> Array:
    """Which points of a curve y (N,) to draw: int64, ascending, at most `most` of them (but never fewer than 5).

    The curve is cut into equal stretches; of each its lowest and its highest point are kept, and a NaN if
    there is one, so that peaks stay peaks and gaps stay gaps.  The first and the last point are kept.
    """
    if len(y) <= most:
        return np.arange(len(y))
    gaps = np.isnan(y)
    stretches = max((most - 2) // (3 if gaps.any() else 2), 1)
    size = -(-len(y) // stretches)
    padded = np.full(stretches * size, np.nan)
    padded[: len(y)] = y
    padded = padded.reshape(stretches, size)
    first = np.arange(stretches) * size
    nothing = np.isnan(padded)
    kept = [
        np.array([0, len(y) - 1]),
        first + np.where(nothing, np.inf, padded).argmin(axis=1),
        first + np.where(nothing, -np.inf, padded).argmax(axis=1),
    ]
    if gaps.any():
        kept.append((first + nothing.argmax(axis=1))[nothing.any(axis=1)])
    kept = np.unique(np.concatenate(kept))
    return kept[kept < len(y)]


def running_mean(y: Array, window: int) -> Array:
    """The mean of the `window` values around each of y (N,), fewer at both ends; NaN counts for nothing.

    It is as exact after an enormous value as before it, which a difference of cumulative sums is not: each
    window is a stretch's end and the beginning of the next, added up from within.
    """
    there = np.isfinite(y)
    values = np.where(there, y, 0.0).astype(np.float64)
    sums, number = _window_sums(values, window), _window_sums(there.astype(np.float64), window)
    return np.where(number > 0, sums / np.maximum(number, 1), np.nan)


def _window_sums(values: Array, window: int) -> Array:
    """The sum of the `window` values around each, from window // 2 before it on; beyond the ends lie zeros."""
    before = window // 2
    stretches = -(-(len(values) + window) // window)
    padded = np.zeros(stretches * window)
    padded[before : before + len(values)] = values
    rows = padded.reshape(stretches, window)
    from_start = np.cumsum(rows, axis=1).ravel()
    to_end = np.cumsum(rows[:, ::-1], axis=1)[:, ::-1].ravel()
    first = np.arange(len(values))
    last = first + window - 1
    # A window that is a whole stretch is the sum to its end; any other begins in one stretch and ends in the next.
    return to_end[first] + np.where(first % window == 0, 0.0, from_start[last])
