"""What the gradient's dtype, its age or a shape betray."""

from __future__ import annotations

import numpy as np

from plaingrad.insight.gradients.evidence import Evidence, Named

Array = np.ndarray


def single_precision(e: Evidence, name: str) -> Named | None:
    """A is of another dtype than float64, or has float32's values."""
    dtype = getattr(e.raw[name], "dtype", np.dtype(np.float64))
    a = e.claimed[name]
    if dtype == np.float64 and not (seems_single(a) and _off_by_rounding(e, name)):
        return None
    n = e.numeric(name)
    close = np.linalg.norm((a - n)[np.isfinite(n)]) <= 1e-4 * np.linalg.norm(n[np.isfinite(n)])
    cut = dtype.kind in "iub" or (np.array_equal(a, np.round(a)) and e.matches(a, np.trunc(n)))
    if not close and not cut:
        return None
    told = "whole numbers" if cut else f"rounded to {dtype if dtype != np.float64 else 'float32'}"
    its = f" (its dtype is {dtype})" if dtype != np.float64 else ""
    return Named(
        "wrong_g_dtype",
        f"The gradient of {name} is {told}{its}, but {name} is float64: "
        "make arrays in the dtype of what they are computed from, without astype, dtype=... or integer buffers.",
        "wrong_g_dtype",
    )


def truncated(e: Evidence, name: str) -> Named | None:
    """A is N cut off to whole numbers."""
    a, n = e.claimed[name], e.numeric(name)
    known = np.isfinite(n)
    if a.shape != n.shape or not np.array_equal(a, np.round(a)) or np.ptp(n[known]) < 1e-6:
        return None
    if not np.any(a) or not any(
        np.array_equal(a[known], cut(n)[known]) for cut in (np.trunc, np.round, np.floor)
    ):
        return None
    return Named(
        "wrong_g_dtype",
        f"The gradient of {name} is the right one cut off to whole numbers: it was written into an array of integers.",
        "wrong_g_dtype",
    )


def stale_cache(e: Evidence, name: str) -> Named | None:
    """A is what was claimed for other numbers."""
    before = e.earlier.get(name)
    if before is None or np.shape(before) != e.claimed[name].shape:
        return None
    if not np.any(before) or not e.matches(e.claimed[name], np.asarray(before, np.float64)):
        return None
    return Named(
        "stale_cache",
        f"On new numbers the gradient of {name} is that of the call before, to the last digit, while the differences "
        "have changed: backward uses something kept from an earlier forward pass.",
        "stale_cache",
    )


def seems_single(a: Array) -> bool:
    """Whether all values are such as float32 has, and not just simple fractions."""
    with np.errstate(all="ignore"):
        return bool(a.size and np.all(a == a.astype(np.float32)) and np.any(a * 4096 != np.round(a * 4096)))


def _off_by_rounding(e: Evidence, name: str) -> bool:
    """Whether A differs from N as much as float32's rounding makes it, and more than differences err."""
    a, n = e.claimed[name], e.numeric(name)
    known = np.isfinite(n)
    size = float(np.linalg.norm(n[known]))
    return bool(size > 0) and 4e-9 * size < float(np.linalg.norm((a - n)[known])) < 1e-4 * size
