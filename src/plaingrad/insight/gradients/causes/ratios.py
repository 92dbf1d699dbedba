"""How two gradients compare as wholes: a factor, how it grows with the batch, what a penalty adds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from plaingrad.insight.gradients.evidence import FEWER, Evidence, jacobian

Array = np.ndarray


def factor(e: Evidence, a: Array, n: Array) -> float | None:
    """The k with a = k n, None if there is no such number or n is 0."""
    if a.shape != n.shape:
        return None
    known = np.isfinite(n)
    length = float(np.sum(n[known] ** 2))
    if length == 0 or np.sqrt(length) <= 1e-9 * e.overall:
        return None
    k = float(np.sum(a[known] * n[known])) / length
    return k if k and e.matches(a / k, n) else None


def multiple(e: Evidence, name: str) -> tuple[float | None, str]:
    """k with A = k N, or with A = k N + (1 − k) r P where the loss has a penalty ½ r ΣP²; and words for that."""
    a, n = e.claimed[name], e.numeric(name)
    k = factor(e, a, n)
    if k is not None or not e.is_model:
        return k, ""
    p = e.arrays[name]
    known = np.isfinite(n)
    if known.sum() < 4 or not np.any(p):
        return None, ""
    columns = np.stack([n[known], p[known]], axis=1)
    (k, c), *_ = np.linalg.lstsq(columns, a[known], rcond=None)
    if not e.matches(a, k * n + c * p) or abs(k - 1) < 1e-5 or abs(k) < 1e-9:
        return None, ""
    true = penalty_of(e, name)[0]
    true = named_penalty(e) if true is None else true
    if true is not None and abs(c - (1 - k) * true) <= 1e-3 * abs(c):
        return float(k), ", its penalty apart,"
    if true is not None and abs(c + k * true) <= 1e-3 * abs(c):
        return float(k), " (whose penalty is missing besides)"
    return None, ""


def growth(e: Evidence, name: str) -> float | None:
    """The power with which k in A = k N grows with the number of samples; None if it cannot be told."""
    batch = e.subject.batch
    k, _ = multiple(e, name)
    if k is None or not batch or batch < 2:
        return None
    fewer = e.part(range(batch - 1))
    if fewer is None or name not in fewer.claimed:
        return None
    other, _ = multiple(fewer, name)
    if other is None or other * k <= 0:
        return None
    return math.log(k / other) / math.log(batch / (batch - 1))


def terms(e: Evidence, name: str) -> set[int]:
    """Numbers of terms that a mean could be over: products of lengths of the output's or the input's axes."""
    shapes = [e.out.shape, next(iter(e.arrays.values())).shape]
    counts = set()
    for shape in shapes:
        for axes in range(1, 2 ** len(shape)):
            counts.add(math.prod(n for i, n in enumerate(shape) if axes >> i & 1))
    return counts - {1}


def penalty_of(e: Evidence, name: str, part: Any = ...) -> tuple[float | None, float | None]:
    """The r of the loss's penalty ½ r ΣP², as measured and as claimed; None where it does not show.

    With the data and all other parameters 0 a network is silent, and only the penalty still depends on
    the parameter.  part: which elements of it are looked at.
    """
    if name not in e.penalties:
        with e.silenced(name) as quiet:
            slopes = None
            if quiet is not None:
                p = e.arrays[name]
                slopes = (
                    jacobian(quiet.subject.output, p, FEWER)[0].reshape(p.shape),
                    quiet.claimed[name],
                    quiet,
                )
            e.penalties[name] = slopes
    slopes = e.penalties[name]
    if slopes is None:
        return None, None
    measured, claimed, quiet = slopes
    n, a, p = measured[part], claimed[part], e.arrays[name][part]
    true = 0.0 if np.nanmax(np.abs(n), initial=0) < 1e-9 else factor(quiet, n, p)
    told = 0.0 if not np.any(np.abs(a) > 1e-12) else factor(quiet, a, p)
    return true, told


def named_penalty(e: Evidence) -> float | None:
    """The model's own setting for the penalty, by its usual names."""
    usual = ("reg", "l2", "weight_decay", "wd", "lam", "lambda_", "lmbda", "regularization", "l2_reg")
    return next((v for key, v in e.settings.items() if key.lower() in usual and v), None)


def is_rate(key: str) -> bool:
    """Whether a setting's name is one that dropout rates have."""
    key = key.lower()
    return key in ("p", "q", "rate") or any(word in key for word in ("drop", "keep", "rate", "prob"))


def dropout_of(e: Evidence, name: str) -> float | None:
    """The s of an op out = x · mask, whose mask is 0 or s ≠ 1; None if the op is another."""
    if e.is_model or e.out.size != e.arrays[name].size:
        return None
    slopes = e.jacobian(name)
    own = np.diagonal(slopes)
    kept = own[np.abs(own) > 1e-9]
    if not 0 < len(kept) < len(own) or np.nanmax(np.abs(slopes - np.diag(own))) > 1e-9:
        return None
    return float(kept[0]) if np.allclose(kept, kept[0], rtol=1e-6) and abs(kept[0] - 1) > 1e-6 else None
