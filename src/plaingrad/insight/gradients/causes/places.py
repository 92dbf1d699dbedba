"""Right at some elements, wrong at others, and which those are: masks, labels, single parts."""

from __future__ import annotations

import numpy as np

from plaingrad.insight.gradients.causes.ratios import factor, penalty_of
from plaingrad.insight.gradients.evidence import Evidence, Named

Array = np.ndarray


def one_hot_missing(e: Evidence, name: str) -> Named | None:
    """A − N is there at the true classes and nowhere else; of a last bias, it is the classes' frequencies."""
    labels = e.subject.labels
    if labels is None or not len(labels):
        return None
    a, n = e.claimed[name], e.numeric(name)
    off = a - n
    rows = np.arange(len(labels))
    if not e.is_model:
        if a.ndim != 2 or len(a) != len(labels) or np.min(labels) < 0 or np.max(labels) >= a.shape[1]:
            return None
        at_labels = np.zeros(a.shape, bool)
        at_labels[rows, labels] = True
        return _at_labels(name, a, n, at_labels)
    if a.ndim == 1 and np.max(labels) < len(a):
        counts = np.bincount(labels, minlength=len(a)).astype(float)
        k = factor(e, off, counts)
        if k is not None and len(np.unique(counts)) > 1:
            return Named(
                "one_hot_missing",
                f"Claimed minus measured gradient of {name} is {k:.6g} times the number of samples of each class, "
                f"{counts.astype(int).tolist()}: the −1 at the true class is missing or has another sign.",
            )
    if a.shape[-1] <= np.max(labels):
        return None
    for i in range(min(3, len(labels))):
        single = e.part([i])
        if single is None or name not in single.claimed:
            return None
        there = single.differs(name).reshape(-1, a.shape[-1])
        columns = np.any(there, axis=0)
        if columns.sum() != 1 or not columns[labels[i]] or a.shape[-1] < 3:
            return None
    return Named(
        "one_hot_missing",
        f"With one sample, the gradient of {name} is wrong in the column of its true class alone: the −1 at the "
        "true class is missing or has another sign.",
    )


def _at_labels(name: str, a: Array, n: Array, at_labels: Array) -> Named | None:
    """Of scores (N, C): A − N is one number at the true classes and another one, such as 0, elsewhere."""
    off, known = a - n, np.isfinite(n)
    here, elsewhere = off[at_labels & known], off[~at_labels & known]
    size = np.max(np.abs(n[known]), initial=0)
    if not len(here) or not len(elsewhere) or size == 0:
        return None
    step = float(np.mean(here) - np.mean(elsewhere))
    constant = np.ptp(elsewhere) <= 1e-6 * size
    lacks = np.mean(here) * step > 1e-9 * size**2 and np.mean(here) * np.mean(elsewhere) > -1e-9 * size**2
    if constant and np.ptp(here) <= 1e-6 * size and lacks:
        told = f"{np.mean(here):.6g} too large at the true classes (row n, column y[n]) and "
        told += (
            "right elsewhere"
            if np.max(np.abs(elsewhere)) <= 1e-6 * size
            else f"{np.mean(elsewhere):.6g} elsewhere"
        )
    elif constant and np.max(np.abs(elsewhere)) <= 1e-6 * size and not np.any(a[at_labels]):
        told = "0 at the true classes (row n, column y[n]) and right elsewhere"
    else:
        return None
    return Named(
        "one_hot_missing",
        f"The gradient of {name} is {told}: the term of the true class, −1 for softmax, "
        "is missing or has another sign.",
    )


def mask_missing(e: Evidence, name: str) -> Named | None:
    """Right (or scaled) where N is not 0, but not 0 where N is."""
    if e.is_model:
        return _units(e, name)
    a, n = e.claimed[name], e.numeric(name)
    labels = e.subject.labels
    if labels is not None and n.ndim == 2 and len(n) == len(labels) and np.max(labels) < n.shape[1]:
        at_labels = np.zeros(n.shape, bool)
        at_labels[np.arange(len(labels)), labels] = True
        if not np.any(n[~at_labels]):
            return None  # not a mask: the output depends on the true classes alone
        n = np.where(at_labels, np.nan, n)  # the true class's term counts the others, and is wrong with them
    known = np.isfinite(n)
    size = np.max(np.abs(n[known]), initial=0)
    off = known & (np.abs(n) <= 1e-9 * size)
    on = known & ~off
    leaks = off & (np.abs(a) > 1e-7 * size)
    if leaks.any() and on.any():
        k = factor(e, np.where(on, a, 0), np.where(on, n, np.where(off, 0, np.nan)))
        if k is not None:
            right = "right" if abs(k - 1) < 1e-5 else f"{k:.6g} times the right one"
            return Named(
                "mask_missing",
                f"The gradient of {name} is not 0 at {leaks.sum()} of the {off.sum()} elements where the output does "
                f"not depend on it, and {right} at the others: "
                "what the forward pass masks, backward must mask too.",
                "mask_missing",
            )
    return _other_mask(e, name, a, n)


def _other_mask(e: Evidence, name: str, a: Array, n: Array) -> Named | None:
    """Of an elementwise op: A is dout where N is not, or has the mask of something else."""
    slopes = e.jacobian(name)
    if a.shape != e.dout.shape or np.nanmax(np.abs(slopes - np.diag(np.diagonal(slopes)))) > 1e-9:
        return None
    d = e.dout
    known = np.isfinite(n)
    wrong = e.differs(name)
    if np.array_equal(a, d) and not wrong[known].all() and wrong.any():
        return Named(
            "mask_missing",
            f"The gradient of {name} is the upstream gradient itself, also at the {wrong.sum()} elements where the "
            "output has another slope: the forward pass's mask is not applied.",
            "mask_missing",
        )
    x = e.arrays[name]
    for told, mask in {"dout > 0": d > 0, f"{name} <= 0": x <= 0}.items():
        if np.array_equal(a, d * mask) and wrong.any() and e.matches(d * (x > 0), n):
            return Named(
                "mask_missing",
                f"The gradient of {name} is dout where {told}, but the forward pass lets through where "
                f"{name} > 0: backward must use the mask of the forward pass.",
                "mask_missing",
            )
    return None


def _units(e: Evidence, name: str) -> Named | None:
    """In a model: with one sample, units that are off have slope 0; a claim that is not 0 there lacks the mask."""
    wrong = leaks = dead = alive = 0
    for i in range(min(4, e.subject.batch or 0)):
        single = e.part([i])
        if single is None or name not in single.claimed:
            break
        n = single.numeric(name)
        known = np.isfinite(n)
        silent = _without_penalty(e, name, n)
        size = np.max(np.abs(silent[known]), initial=0)
        off = known & (np.abs(silent) <= 1e-8 * (size or 1.0))
        differs = single.differs(name)
        if np.any(differs & ~off):
            wrong = 0
            break
        wrong, leaks = wrong + differs.sum(), leaks + (differs & off).sum()
        dead, alive = dead + off.sum(), alive + (known & ~off).sum()
    if alive and wrong and leaks == wrong:
        return Named(
            "mask_missing",
            f"Sample by sample, the gradient of {name} is right except at {leaks} of {dead} elements whose slope is 0, "
            "because their unit is off: the mask of the forward pass (ReLU, dropout) is not applied.",
            "mask_missing",
        )
    return _all_on(e, name)


def _all_on(e: Evidence, name: str) -> Named | None:
    """With a bias so large that all units are on, A is right; so low that they are off, A is not 0 where N is."""
    bias = _bias_of(e, name)
    if bias is None:
        return None
    kept = e.arrays[bias].copy()
    try:
        for shift in (3.0, 10.0, 30.0, 100.0, 1000.0):
            e.arrays[bias][...] = kept - shift
            off = e.again()
            if off is None or name not in off.claimed:
                return None
            n_off = _without_penalty(e, name, off.numeric(name))
            if np.nanmax(np.abs(n_off), initial=0) > 1e-9:
                continue
            leaks = off.differs(name) & (np.abs(off.claimed[name]) > 1e-6 * e.overall)
            e.arrays[bias][...] = kept + shift
            on = e.again()
            if on is None or not leaks.any():
                return None
            if not on.differs(name).any() and np.nanmax(np.abs(on.numeric(name)), initial=0) > 1e-9:
                return Named(
                    "mask_missing",
                    f"With {bias} raised by {shift:g}, so that all units are on, the gradient of {name} is right; with "
                    f"{bias} lowered by {shift:g} all are off and its slope is 0, but the claim goes up to "
                    f"{np.max(np.abs(off.claimed[name])):.4g}: the mask of the forward pass is not applied.",
                    "mask_missing",
                )
    finally:
        e.arrays[bias][...] = kept
    return None


def _bias_of(e: Evidence, name: str) -> str | None:
    """The vector that belongs to the same layer as `name`: itself, or the nearest of fitting length after it."""
    names = list(e.arrays)
    if e.arrays[name].ndim == 1:
        return name
    lengths = {e.arrays[name].shape[0], e.arrays[name].shape[-1]}
    after = names[names.index(name) + 1 :] + names[: names.index(name)]
    return next((n for n in after if e.arrays[n].ndim == 1 and len(e.arrays[n]) in lengths), None)


def _without_penalty(e: Evidence, name: str, n: Array) -> Array:
    r = penalty_of(e, name)[0]
    return n - r * e.arrays[name] if r else n


def partly_scaled(e: Evidence, name: str) -> Named | None:
    """A = k N at the wrong elements, which are some but not all."""
    wrong = e.differs(name)
    a, n = e.claimed[name], e.numeric(name)
    if wrong.sum() < 2 or wrong[np.isfinite(n)].all():
        return None
    if not np.any(a[wrong]):
        return Named(
            "zero",
            f"The gradient of {name} is 0 at {wrong.sum()} elements where the differences go up to "
            f"{np.max(np.abs(n[wrong])):.4g}, and right at the others.",
        )
    k = factor(e, a[wrong], n[wrong])
    if k is None:
        return None
    code = "sign" if abs(k + 1) < 1e-5 else "scaled"
    return Named(
        code,
        f"The gradient of {name} is {k:.6g} times the right one at {wrong.sum()} of its elements and right "
        "at the others.",
        (code, round(k, 5)),
    )
