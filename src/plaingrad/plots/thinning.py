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
    """The mean of the `window` values around each of y (N,), fewer at both ends; NaN counts for nothing."""
    there = np.isfinite(y)
    sums = np.concatenate(([0.0], np.cumsum(np.where(there, y, 0.0), dtype=np.float64)))
    counts = np.concatenate(([0], np.cumsum(there)))
    at = np.arange(len(y))
    start, stop = np.maximum(at - window // 2, 0), np.minimum(at + (window + 1) // 2, len(y))
    number = counts[stop] - counts[start]
    return np.where(number > 0, (sums[stop] - sums[start]) / np.maximum(number, 1), np.nan)
