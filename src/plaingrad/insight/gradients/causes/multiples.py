"""The whole gradient times a number: a sign, a mean forgotten or taken for a sum, a scale, a penalty."""

from __future__ import annotations

import numpy as np

from plaingrad.insight.gradients.causes.ratios import (
    dropout_of,
    factor,
    growth,
    is_rate,
    multiple,
    named_penalty,
    penalty_of,
    terms,
)
from plaingrad.insight.gradients.evidence import Evidence, Named


def zero(e: Evidence, name: str) -> Named | None:
    """A = 0."""
    a, n = e.claimed[name], e.numeric(name)
    if np.any(a) or not np.any(n[np.isfinite(n)]):
        return None
    largest = np.nanmax(np.abs(n))
    return Named(
        "zero", f"The gradient of {name} is 0 everywhere, but the differences go up to {largest:.4g}."
    )


def sign(e: Evidence, name: str) -> Named | None:
    """A = −N, the penalty perhaps apart."""
    k, rest = multiple(e, name)
    if k is None or abs(k + 1) > 1e-5:
        return None
    return Named("sign", f"The gradient of {name}{rest} is the right one times −1 (k = {k:.6g}).", "sign")


def missing_mean(e: Evidence, name: str) -> Named | None:
    """A = c·B·N for a batch of B samples, and with another B again."""
    k, rest = multiple(e, name)
    grows = growth(e, name)
    if k is None or k <= 1 or (grows is not None and grows < 0.999):
        return None
    batch = e.subject.batch
    if batch and grows is not None and grows <= 1.001:
        times = "" if abs(k - batch) < 1e-4 * k else f"{k / batch:.6g} times "
        return Named(
            "missing_mean",
            f"The gradient of {name}{rest} is {k:.6g} times the right one, and that is {times}the batch size, {batch}; "
            f"with {batch - 1} samples the factor is {k * (batch - 1) / batch:.6g}: the loss is a mean over samples, "
            "its gradient lacks the division by their number.",
            "missing_mean",
        )
    by_sample = (
        e.out.ndim > 0 and e.out.shape[0] == batch
    )  # each sample has outputs of its own: no mean over them
    if (
        grows is None
        and batch
        and not by_sample
        and any(abs(k - c) < 1e-4 * k for c in (batch, *terms(e, name)))
    ):
        return Named(
            "missing_mean",
            f"The gradient of {name}{rest} is {k:.6g} times the right one, and that is the number of terms of the "
            "mean: its gradient lacks the division by it.",
            "missing_mean",
        )
    return None


def bias_mean_for_sum(e: Evidence, name: str) -> Named | None:
    """A vector with A = N / (number of terms of its sum)."""
    a = e.claimed[name]
    k, rest = multiple(e, name)
    if k is None or not 0 < k < 1 - 1e-5 or sum(length > 1 for length in a.shape) > 1:
        return None
    count = round(1 / k)
    if abs(1 / k - count) > 1e-4 * count:
        return None
    grows = growth(e, name)
    shrinks = grows is not None and abs(grows + 1) < 1e-3
    if not shrinks and count not in (e.subject.batch, *terms(e, name)):
        return None
    return Named(
        "bias_mean_for_sum",
        f"The gradient of {name}{rest} is the right one divided by {count}, the number of terms: each of them "
        f"adds to it, so take the sum, not the mean (the mean, if any, is the loss's own).",
        ("mean", count),
    )


def dropout_scale(e: Evidence, name: str) -> Named | None:
    """A = k N with k the dropout's 1 − p or 1/(1 − p)."""
    k, rest = multiple(e, name)
    if k is None or k <= 0 or abs(k - 1) < 1e-5:
        return None
    rates = {s: f"{key} = {s:g}" for key, s in e.settings.items() if 0 < s < 1 and is_rate(key)}
    scale = dropout_of(e, name)
    if scale:
        rates[1 - 1 / scale] = f"the forward pass multiplies by {scale:.6g} what it keeps"
    for rate, told in rates.items():
        words = {1 - rate: "1 − p", 1 / (1 - rate): "1/(1 − p)", rate: "p", 1 / rate: "1/p"}
        words |= {(1 - rate) / rate: "(1 − p)/p", rate / (1 - rate): "p/(1 − p)"}
        for value, formula in words.items():
            if abs(k - value) < 1e-5 * value:
                return Named(
                    "dropout_scale",
                    f"The gradient of {name}{rest} is {k:.6g} times the right one, which is dropout's {formula} "
                    f"({told}): backward must scale by what the forward pass scaled by.",
                    ("dropout_scale", round(k, 6)),
                )
    return None


def scaled(e: Evidence, name: str) -> Named | None:
    """A = k N."""
    k, rest = multiple(e, name)
    if k is None or abs(k - 1) < 1e-6:
        return None
    words = f"The gradient of {name}{rest} is the right one times k = {k:.6g}"
    grows = growth(e, name)
    of_upstream = e.out.ndim == 0 and e.subject.random_upstream and abs(k * float(e.dout) - 1) < 1e-5
    constant = grows is not None and min(abs(grows), abs(grows + 1)) < 1e-3
    if e.arrays[name].size == 1 and not constant and not of_upstream:
        return None  # of one number, any other is a multiple
    if grows is not None and abs(grows + 1) < 1e-3:
        words += f", one over the number of samples, {e.subject.batch}: it is divided by it once too often"
    elif of_upstream:
        words += f", one over the upstream gradient {float(e.dout):.6g}: backward does not multiply by dout"
    return Named("scaled", words + ".", ("scaled", round(k, 5)))


def penalty(e: Evidence, name: str) -> Named | None:
    """A − N = c·P, a multiple of the parameter itself."""
    if not e.is_model or e.arrays[name].size < 3:  # two numbers are soon in proportion
        return None
    a, n, p = e.claimed[name], e.numeric(name), e.arrays[name]
    c = factor(e, a - n, p)
    if not np.any(p):
        return None
    if c is None:
        return _penalty_on_a_part(e, name)
    true, told = penalty_of(e, name)
    if true is None:
        reg = named_penalty(e)
        true = reg if reg is not None else max(-c, 0.0)
        told = true + c
    if told is None or abs(told) <= 1e-4 * abs(true):
        return Named(
            "reg_missing",
            f"The gradient of {name} lacks {true:.6g} · {name}, the gradient of the penalty: the loss grows with "
            f"Σ{name}², and claimed minus measured is {c:.6g} · {name}.",
            "reg_missing",
        )
    if abs(true) <= 1e-4 * abs(told):
        return Named(
            "reg_factor",
            f"The gradient of {name} has a penalty's {told:.6g} · {name}, but the loss has no penalty on {name}.",
            "reg_extra",
        )
    return Named(
        "reg_factor",
        f"The gradient of {name} has {told:.6g} · {name} for the penalty, where the loss's slope is {true:.6g} · "
        f"{name}: {told / true:.6g} times as much. ½·reg·ΣW² has the gradient reg·W, reg·ΣW² has 2·reg·W.",
        ("reg_factor", round(told / true, 4)),
    )


def _penalty_on_a_part(e: Evidence, name: str) -> Named | None:
    """A − N = c·P in whole slices, and 0 in the others: the loss, or backward, leaves a part out, as a bias row."""
    p = e.arrays[name]
    off = e.claimed[name] - e.numeric(name)
    known = np.isfinite(off)
    size = float(np.max(np.abs(off[known]), initial=0))
    for axis in range(p.ndim if p.ndim > 1 else 0):
        others = tuple(other for other in range(p.ndim) if other != axis)
        touched = (known & (np.abs(off) > 1e-6 * size)).any(axis=others)
        part = np.zeros(p.shape, bool)
        np.moveaxis(part, axis, 0)[touched] = True
        if touched.all() or not touched.any() or part.sum() < 3:
            continue
        c = factor(e, np.where(known, off, 0)[part], np.where(known, p, np.nan)[part])
        true, told = penalty_of(e, name, part)
        if c is None or true is None or told is None or abs(told - true - c) > 1e-3 * abs(c):
            continue
        where = f"slices {np.flatnonzero(touched)[:6].tolist()} along axis {axis} of {name}"
        lacks = abs(told) <= 1e-4 * abs(true)
        return Named(
            "reg_missing" if lacks else "reg_factor",
            f"In {where}{', …' if touched.sum() > 6 else ''} the gradient has {told:.6g} · {name} for the penalty, "
            f"where the loss's slope is {true:.6g} · {name}; elsewhere in {name} it is right: leave out in backward "
            "what the loss leaves out, and nothing else.",
            ("reg_part", lacks),
        )
    return None
