"""What the hypotheses are tested on: claimed and measured gradients, in full, and experiments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from plaingrad.insight.gradients.claims import Claim
from plaingrad.insight.gradients.settings_of import settings_of
from plaingrad.insight.gradients.slopes import outputs_around, size_of
from plaingrad.insight.gradients.subjects import Subject

Array = np.ndarray
HOLDS = 1e-5  # to what an explanation must hold, relative to what it explains
LIMIT = 400  # elements of an array that are measured at most
FEWER = 100  # the same in an experiment on more than a few samples, to bound its time
FEW_SAMPLES = 8


class Named(NamedTuple):
    """A proved explanation: its code, the evidence as a sentence, what findings that belong together share."""

    code: str
    why: str
    key: Any = None


class Evidence:
    """All that is known about a subject whose gradients are wrong, measured when first asked for.

    claimed: the gradients as float64 arrays by name; wrong: the names of those that are wrong, from the
    loss backwards.  earlier: what was claimed in the calls before, on other numbers.  limit: how many
    elements of an array are measured at most.
    """

    def __init__(
        self,
        subject: Subject,
        claimed: Claim,
        wrong: tuple[str, ...] = (),
        earlier: Mapping[str, Any] | None = None,
        limit: int = LIMIT,
    ) -> None:
        self.subject, self.wrong, self.earlier = subject, wrong, earlier or {}
        self.out, self.dout = claimed.out, claimed.dout
        self.raw = claimed.gradients
        self.claimed = {n: np.asarray(g, np.float64) for n, g in claimed.gradients.items() if _numbers(g)}
        self._jacobians: dict[str, Array] = {}
        self._parts: dict[tuple[int, ...], Evidence | None] = {}
        self.penalties: dict[str, Any] = {}  # what `penalty_of` measured, by name
        self.limit = limit

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays that are differentiated by."""
        return self.subject.arrays

    @property
    def is_model(self) -> bool:
        """Whether the subject is a model, whose gradients depend on each other through the chain rule."""
        return self.subject.kind == "model"

    @cached_property
    def overall(self) -> float:
        """The largest element of all gradients claimed."""
        return max((float(np.max(np.abs(g), initial=0)) for g in self.claimed.values()), default=0.0)

    def jacobian(self, name: str) -> Array:
        """∂out/∂array (out.size, array.size); NaN where the function bends or where nothing was measured."""
        if name not in self._jacobians:
            self._jacobians[name] = jacobian(self.subject.output, self.arrays[name], self.limit)
        return self._jacobians[name]

    def numeric(self, name: str, dout: Array | None = None) -> Array:
        """The measured gradient, of the array's shape, NaN where it is not known."""
        upstream = self.dout if dout is None else dout
        return (upstream.ravel() @ self.jacobian(name)).reshape(self.arrays[name].shape)

    def matches(self, a: Array, n: Array) -> bool:
        """Whether a is n, where n is known: to 10⁻⁵ of n's length, or to what differences can tell."""
        if a.shape != n.shape:
            return False
        known = np.isfinite(n)
        if not known.any() or not np.isfinite(a).all():
            return False
        off, length = np.linalg.norm((a - n)[known]), np.linalg.norm(n[known])
        return bool(off <= max(HOLDS * length, 1e-9 * self.overall))

    def differs(self, name: str) -> Array:
        """Which elements of the gradient are wrong, as a mask; False where that is not known."""
        a, n = self.claimed[name], self.numeric(name)
        size = float(np.max(np.abs(n[np.isfinite(n)]), initial=0))
        with np.errstate(invalid="ignore"):
            return np.abs(a - n) > np.maximum(1e-6 * np.abs(n), 1e-7 * size + 1e-10 * self.overall)

    def part(self, index: Any) -> Evidence | None:
        """The evidence for some of the samples, with their own part of the upstream gradient."""
        key = tuple(index)
        if key not in self._parts:
            self._parts[key] = self._part(np.asarray(key))
        return self._parts[key]

    def _part(self, index: Array) -> Evidence | None:
        with contextlib.suppress(Exception), np.errstate(all="ignore"):  # not every subject can be cut
            smaller = self.subject.part(index)
            if smaller is None:
                return None
            out = np.array(smaller.output(), np.float64)
            dout = self.dout
            if out.shape != self.out.shape:
                if out.shape[:1] != (len(index),) or out.shape[1:] != self.out.shape[1:]:
                    return None
                dout = self.dout[index]
            _, gradients = smaller.claimed(dout.copy())
            claimed = Claim(out, dout, {k: np.array(v) for k, v in gradients.items()}, ())
            return Evidence(smaller, claimed, limit=LIMIT if len(index) <= FEW_SAMPLES else FEWER)
        return None

    def again(self) -> Evidence | None:
        """The evidence with what the arrays hold now and the same upstream gradient; None if there is none."""
        with contextlib.suppress(Exception), np.errstate(all="ignore"):  # not all numbers are admissible
            out, gradients = self.subject.claimed(self.dout.copy())
            copies = {k: np.array(v) for k, v in gradients.items()}
            claimed = Claim(np.array(out, np.float64), self.dout, copies, ())
            return Evidence(self.subject, claimed, limit=FEWER)
        return None

    @contextlib.contextmanager
    def replaced(self, name: str, values: Array) -> Iterator[Callable[[str], Array]]:
        """Inside, one array holds other values; yields what measures gradients there."""
        array = self.arrays[name]
        kept = array.copy()
        try:
            array[...] = values
            yield lambda other: (
                self.dout.ravel() @ jacobian(self.subject.output, self.arrays[other])
            ).reshape(self.arrays[other].shape)
        finally:
            array[...] = kept

    @contextlib.contextmanager
    def silenced(self, name: str) -> Iterator[Evidence | None]:
        """Inside, the data and all parameters but one are 0; yields the evidence there, None if there is none."""
        kept = {n: array.copy() for n, array in self.arrays.items()}
        try:
            for n, array in self.arrays.items():
                if n != name:
                    array[...] = 0
            quiet = None
            with contextlib.suppress(Exception), np.errstate(all="ignore"):  # zeros may not be admissible
                subject = self.subject.silent()
                if subject is not None:
                    out, gradients = subject.claimed(self.dout)
                    quiet = Evidence(
                        subject, Claim(np.asarray(out, np.float64), self.dout, dict(gradients), ())
                    )
            yield quiet if quiet is not None and name in quiet.claimed else None
        finally:
            for n, array in self.arrays.items():
                array[...] = kept[n]

    @cached_property
    def settings(self) -> dict[str, float]:
        """The numbers that the subject holds under a name: `reg`, `p`, `rate`, ..."""
        return settings_of(self.subject.owner)


def jacobian(output: Callable[[], Any], array: Array, limit: int = LIMIT) -> Array:
    """∂out/∂array from differences with two steps, three or four where they disagree; see `Evidence`."""
    out = np.array(output(), np.float64).ravel()
    result = np.full((out.size, array.size), np.nan)
    unit = max(size_of(array), 1e-2)
    noise = 1e-14 * max(1.0, float(np.max(np.abs(out), initial=0)))
    with np.errstate(all="ignore"):
        for i in _chosen(array.shape, limit):
            where = tuple(map(int, np.unravel_index(i, array.shape)))
            result[:, i] = _column(output, out, array, where, max(unit, abs(float(array[where]))), noise)
    return result


def _column(
    output: Callable[[], Any], out: Array, array: Array, where: Any, unit: float, noise: float
) -> Array | float:
    """One column of the Jacobian, or NaN."""
    before, best, least = None, np.nan, np.inf
    for power in (-13, -16, -19, -22):
        h = unit * 2.0**power
        down, up = (np.asarray(o, np.float64).ravel() for o in outputs_around(output, array, where, h))
        slope = (up - down) / (2 * h)
        size = float(np.max(np.abs(slope), initial=0))
        gap = float(np.max(np.abs(up - 2 * out + down), initial=0)) / h
        if before is not None:
            off = float(np.max(np.abs(slope - before), initial=0))
            bent = gap > 1e-2 * size + 10 * noise / h
            if off < least and not bent:
                best, least = slope + (slope - before) / 63, off
            if off <= 1e-6 * size + noise / h and not bent:
                return best
        before = slope
    size = float(np.max(np.abs(best), initial=0))
    return best if least <= 1e-4 * size + 10 * noise / (unit * 2.0**-19) else np.nan


def _chosen(shape: tuple[int, ...], limit: int) -> Array:
    """All indices of a small array; of a large one those of its first rows and columns, whole."""
    size = int(np.prod(shape))
    if size <= limit:
        return np.arange(size)
    places = np.arange(size).reshape(shape if len(shape) > 1 else (1, -1))
    flat = places.reshape(places.shape[0], -1)
    rows, columns = max(1, limit // 2 // flat.shape[1]), max(1, limit // 2 // flat.shape[0])
    return np.unique(np.concatenate([flat[:rows].ravel(), flat[:, :columns].ravel()]))[: 2 * limit]


def _numbers(gradient: Any) -> bool:
    try:
        return np.isfinite(np.asarray(gradient, np.float64)).all()  # type: ignore[return-value]
    except (TypeError, ValueError):
        return False
