"""A sum that lacks terms: of a batch, of overlapping windows, of repeated indices, of the uses of a weight."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from plaingrad.insight.gradients.causes.ratios import factor, penalty_of
from plaingrad.insight.gradients.evidence import Evidence, Named

Array = np.ndarray


def overwritten(e: Evidence, name: str) -> Named | None:
    """A holds one term of a sum: that of the last sample, place or use."""
    if e.is_model:
        return _last_sample(e, name) or _repeated(e, name) or _one_use(e, name)
    return _last_sample(e, name) or _one_term(e, name)


def _last_sample(e: Evidence, name: str) -> Named | None:
    batch = e.subject.batch
    if not batch or batch < 2:
        return None
    a = e.claimed[name]
    r = (penalty_of(e, name)[0] or 0.0) if e.is_model else 0.0
    p = e.arrays[name]
    for index, told in ((batch - 1, "last"), (0, "first")):
        single = e.part([index])
        if single is None or name not in single.arrays or single.arrays[name].shape != a.shape:
            return None
        n = single.numeric(name) - r * p
        k = factor(e, a - r * p, n)
        if k is not None and any(abs(k - value) < 1e-4 * value for value in (1, 1 / batch)):
            return Named(
                "overwritten",
                f"The gradient of {name} for {batch} samples is that of the {told} sample alone"
                f"{'' if abs(k - 1) < 1e-4 else f', divided by {batch}'}: the samples' terms must be added, `+=` where "
                "`=` is.",
                "overwritten",
            )
    return None


def _one_term(e: Evidence, name: str) -> Named | None:
    """Of a pair: where A is wrong, it is the contribution of one group of outputs to a sum over several."""
    a, n = e.claimed[name], e.numeric(name)
    wrong = (e.differs(name) & np.isfinite(n)).ravel()
    if not wrong.any():
        return None
    slopes = e.jacobian(name)[:, wrong] * e.dout.reshape(-1, 1)
    size = np.max(np.abs(n[np.isfinite(n)]), initial=0)
    for told, groups in _groups(e.out.shape):
        count = groups.max() + 1
        if count < 2 or count * wrong.sum() > 4_000_000:
            continue
        parts = np.zeros((count, wrong.sum()))
        np.add.at(parts, groups.ravel(), slopes)
        several = (np.abs(parts) > 1e-8 * size).sum(axis=0) > 1
        one = (np.abs(parts - a.ravel()[wrong]) <= 1e-6 * size).any(axis=0)
        if several.all() and one.all() and np.any(a.ravel()[wrong]):
            if a.shape == e.out.shape and e.matches(
                a.ravel(), np.diagonal(e.jacobian(name)) * e.dout.ravel()
            ):
                return Named(
                    "unknown",
                    f"The gradient of {name} has the term of each element's own output only (the diagonal of the "
                    "Jacobian); the other outputs depend on it too.",
                )
            return Named(
                "overwritten",
                f"Where the gradient of {name} is wrong, at {wrong.sum()} elements, it is the term of a single {told}, "
                "while several contribute: the terms must be added, `+=` where `=` is (`np.add.at` for repeated "
                "indices).",
                "overwritten",
            )
    if a.shape == e.dout.shape and e.matches(a + e.dout, n):
        return Named(
            "overwritten",
            f"The gradient of {name} lacks exactly the upstream gradient, the term of {name}'s direct way to the "
            "output (a shortcut): both uses' gradients must be added.",
            "overwritten",
        )
    if a.shape == e.dout.shape and e.matches(a - e.dout, 0 * n) and not np.all(n[np.isfinite(n)] == 0):
        own = e.jacobian(name)
        if own.shape[0] == own.shape[1] and np.nanmax(np.abs(own - np.diag(np.diagonal(own)))) > 1e-9:
            return Named(
                "overwritten",
                f"The gradient of {name} is the upstream gradient alone, the term of a shortcut: the other uses of "
                f"{name} are missing, all must be added.",
                "overwritten",
            )
    return None


def _groups(shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """Ways to sort an output's elements into groups that a loop could go over, as a number for each."""
    if not shape:
        return
    indices = np.indices(shape)
    yield "output", np.arange(int(np.prod(shape))).reshape(shape)
    for count in range(1, len(shape)):
        for axes in combinations(range(len(shape)), count):
            number = np.zeros(shape, int)
            for axis in axes:
                number = number * shape[axis] + indices[axis]
            yield f"index along the output's axes {list(axes)}", number


def _repeated(e: Evidence, name: str) -> Named | None:
    """Of a table whose rows are chosen by whole numbers: wrong are the rows that were chosen more than once."""
    table, wrong = e.arrays[name], e.differs(name)
    for indices in e.subject.others.values():
        if (
            indices.dtype.kind not in "iu"
            or not indices.size
            or indices.min() < 0
            or indices.max() >= len(table)
        ):
            continue
        counts = np.bincount(indices.ravel(), minlength=len(table))
        rows = wrong.reshape(len(table), -1).any(axis=1)
        if rows.any() and (counts == 1).any() and np.array_equal(rows, counts > 1):
            return Named(
                "overwritten",
                f"The gradient of {name} is wrong in the rows {np.flatnonzero(rows)[:6].tolist()}, which are those "
                "used more than once, and right in those used once: every use must add, as np.add.at does; "
                "with [...] += a repeated index counts once.",
                "overwritten",
            )
        if len(indices) == e.subject.batch and (told := _repeated_in_one(e, name, indices)):
            return told
    return None


def _repeated_in_one(e: Evidence, name: str, indices: Array) -> Named | None:
    """With one sample, each row is its true gradient divided by the number of times that it is used."""
    single = e.part([0])
    if single is None or name not in single.claimed:
        return None
    counts = np.bincount(indices[0].ravel(), minlength=len(e.arrays[name])).astype(float)
    per_row = counts.reshape(-1, *(1,) * (e.arrays[name].ndim - 1))
    if counts.max() < 2 or not single.matches(
        single.claimed[name] * np.maximum(per_row, 1), single.numeric(name)
    ):
        return None
    return Named(
        "overwritten",
        f"With one sample, each row of {name}'s gradient is the right one divided by the number of times that the row "
        f"is used, up to {int(counts.max())}: every use must add, as np.add.at does; with [...] += a repeated index "
        "counts once.",
        "overwritten",
    )


def _one_use(e: Evidence, name: str) -> Named | None:
    """In a model: with one sample, each use of a weight gives a gradient of rank 1; A has some of them."""
    if e.arrays[name].ndim != 2:
        return None
    whole = some = rest = 0
    for i in range(min(2, e.subject.batch or 0)):
        single = e.part([i])
        if single is None or name not in single.claimed:
            return None
        r = penalty_of(e, name)[0] or 0.0
        a, n = single.claimed[name] - r * e.arrays[name], single.numeric(name) - r * e.arrays[name]
        if np.isnan(n).any():
            return None
        whole, some, rest = (_rank(m) for m in (n, a, n - a))
        if not (0 < some < whole and some + rest == whole and whole <= min(n.shape)):
            return None
    if not whole:
        return None
    return Named(
        "overwritten",
        f"With one sample the gradient of {name} has rank {whole}, one for each use of it, but the claim has rank "
        f"{some} and what it lacks has rank {rest}: the gradients of its uses must be added, `+=` where `=` is.",
        "overwritten",
    )


def _rank(matrix: Array) -> int:
    values = np.linalg.svd(matrix, compute_uv=False)
    return int((values > 1e-6 * max(values[0], 1e-300)).sum()) if values.size and values[0] > 1e-12 else 0
