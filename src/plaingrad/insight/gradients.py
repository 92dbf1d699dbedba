"""Is a backward pass right?  Hold its gradients against differences of the forward pass.

The slope of f at x is (f(x + h) − f(x − h)) / 2h up to a multiple of h²: computed from the forward
pass alone, it cannot share a mistake with the backward pass.  An output that is an array is made a
number first, by a *random* upstream gradient: L = Σ out · dout.  A constant one would prove little:
where outputs add up to a constant, as softmax's do, it makes every gradient 0.
"""

from __future__ import annotations

import copy
import math
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from plaingrad.insight.gradient_report import GradientReport, GradientRow
from plaingrad.insight.gradient_subjects import Misfit, Subject, subject_of
from plaingrad.model import Model
from plaingrad.network import Layer

Array = np.ndarray
Method = Literal["elementwise", "projection"]

# Rounding error of an output, relative to its size: some fifty units in the last place of a float64.
_ROUNDING = 1e-14


def relative_error(a: Any, b: Any) -> float:
    """The largest |a − b| / max(10⁻⁸, |a| + |b|) over all elements, as in CS231n; 0 if there are none."""
    a, b = np.asarray(a), np.asarray(b)
    return float(np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)), initial=0.0))


def numeric_gradient(f: Callable[[Array], Any], x: Array, dout: Any = None, *, h: float = 1e-5) -> Array:
    """The gradient of Σ f(x) · dout by x, element by element from central differences.

    f: from an array like x to one like dout, or to a number where dout is None.  x: of floats, any
    shape; moved in place by h, and as it was afterwards, also if f raises.  Returns x's shape, float64.
    Costs two calls of f for each element.  Raises TypeError if x cannot be moved by a small step.
    """
    if not isinstance(x, np.ndarray) or not np.issubdtype(x.dtype, np.floating):
        raise TypeError(f"x must be a NumPy array of floats, got {getattr(x, 'dtype', type(x).__name__)}")
    weight = 1.0 if dout is None else np.asarray(dout)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        down, up = _outputs_around(lambda: f(x), x, index, h)
        gradient[index] = np.sum((up - down) * weight) / (2 * h)
    return gradient


@overload
def check_gradients(
    model: Model, X: Any, y: Any, /, *, method: Method = ..., h: float = ..., tolerance: float = ...,
    max_elements: int = ..., seed: int = ...,
) -> GradientReport: ...  # fmt: skip
@overload
def check_gradients(
    forward: Callable[..., Any], backward: Callable[..., Any], inputs: tuple[Any, ...], /, *,
    method: Method = ..., h: float = ..., tolerance: float = ..., max_elements: int = ..., seed: int = ...,
) -> GradientReport: ...  # fmt: skip
@overload
def check_gradients(
    layer: Layer, x: Array, /, *, method: Method = ..., h: float = ..., tolerance: float = ...,
    max_elements: int = ..., seed: int = ...,
) -> GradientReport: ...  # fmt: skip
def check_gradients(
    subject: Any,
    /,
    *given: Any,
    method: Method = "elementwise",
    h: float = 1e-5,
    tolerance: float = 1e-6,
    max_elements: int = 200,
    seed: int = 0,
) -> GradientReport:
    """Compare the gradients of a model, an op pair or a layer with central differences in float64.

    Three forms:

    - `check_gradients(model, X, y)`: anything with `params` and `loss(X, y) -> loss, gradients`, at its
      present parameters.  A Network is checked on a float64 copy, input included; the arrays of
      another model are moved in place, and are as they were afterwards.
    - `check_gradients(forward, backward, inputs)`: `forward(*inputs) -> out, cache`;
      `backward(dout, cache)` returns the gradient of the one input of floats, or a tuple for all of
      them, None for one to leave out.  Bind keyword arguments with `functools.partial` or a lambda.
    - `check_gradients(layer, x)`: a layer spec on x (N, ...), in training mode, with parameters drawn
      around their initial values, so that a γ left out of a formula is not hidden by being 1.

    method: "elementwise" compares each element, or `max_elements` of them, drawn for each array;
    "projection" compares for each array the slope along one random direction, at the cost of two
    evaluations.  h: the step.  seed: of the upstream gradient, the directions, the choice of elements.

    An element passes if analytic and numeric value differ by no more than `tolerance` times the larger
    of them, or by no more than rounding explains, 10⁻¹⁴ · |L| / h: some 10⁻⁹, so that a gradient of
    10⁻¹⁰ does not fail.  Differences of a smooth function of ordinary size are exact to 10⁻⁷ or better,
    and a mistake in a derivation rarely stays below 10⁻³.  Where the function bends within the step,
    as ReLU does at 0, the two one-sided slopes disagree, and the element is counted as a kink, not as
    wrong: the derivative there is a convention.

    Gradients that are missing, misshapen or not finite, a loss that is not the same twice and arguments
    changed in place are problems in the report, not exceptions.  Raises TypeError for a call of none of
    the three forms or parameters that refuse to be float64, ValueError for an unknown method.
    """
    if method not in ("elementwise", "projection"):
        raise ValueError(f'method must be "elementwise" or "projection", not {method!r}')
    # A stream of its own: data is often drawn by default_rng(0), and an upstream gradient equal to x
    # hides bugs, for xᵀ dout is then symmetric, and a mask by dout is a mask by x.
    rng = np.random.default_rng((seed, zlib.crc32(b"check_gradients")))
    rows: list[GradientRow] = []
    with subject_of(subject, given, seed) as checked:
        claim = _claim(checked, rng)
        if not claim.problems:
            slopes = _Slopes(checked.output, claim.out, claim.dout, h, tolerance)
            for name, array in checked.arrays.items():
                if name in claim.gradients or checked.all_needed:
                    rows.append(
                        _row(name, array, claim.gradients.get(name), slopes, method, max_elements, rng)
                    )
    nothing = ("There is nothing to check: no array of floats has a gradient.",)
    return GradientReport(method, tolerance, tuple(rows), claim.problems or (() if rows else nothing))


class _Claim(NamedTuple):
    """The output, the upstream gradient, the gradients claimed for it, and what makes them worthless."""

    out: Array
    dout: Array
    gradients: dict[str, Any]
    problems: tuple[str, ...]


def _claim(subject: Subject, rng: np.random.Generator) -> _Claim:
    """Run the subject forward and, on the same numbers, forward and backward."""
    given = {**subject.arrays, **subject.others}
    before = {name: array.copy() for name, array in given.items()}
    out = np.array(subject.output(), dtype=np.float64)
    dout = rng.standard_normal(out.shape) if subject.random_upstream else np.ones(out.shape)
    handed = given["the upstream gradient"] = dout.copy()
    before["the upstream gradient"] = dout
    try:
        again, claimed = subject.claimed(handed)
    except Misfit as misfit:
        return _Claim(out, dout, {}, (str(misfit),))
    gradients = {name: copy.copy(gradient) for name, gradient in claimed.items()}
    problems = [
        f"The call changes {name} in place: whoever passed it still needs it, work on a copy."
        for name, array in given.items()
        if not np.array_equal(array, before[name], equal_nan=array.dtype.kind == "f")
    ]
    if not np.isfinite(out).all():
        problems.append("The output is not finite: there is no slope to compare with.")
    elif not problems and not np.allclose(out, np.asarray(again, np.float64), rtol=1e-10, atol=_ROUNDING):
        problems.append(
            "Two calls on the same numbers give different outputs: make randomness a function of a seed."
        )
    if unknown := sorted(map(str, set(gradients) - set(subject.arrays))):
        problems.append(f"There are gradients of {', '.join(unknown)}, but no such arrays.")
    return _Claim(out, dout, gradients, tuple(problems))


class _Line(NamedTuple):
    """Where to move: array[where], along `direction`."""

    array: Array
    where: Any
    direction: Any = 1.0


class _Slopes(NamedTuple):
    """Slopes of L = Σ out · dout around the present values, and whether an analytic value fits them."""

    output: Callable[[], Any]
    out: Array
    dout: Array
    h: float
    tolerance: float

    def one_sided(self, line: _Line, h: float) -> tuple[float, float]:
        """The slopes of L along the line, below and above where it stands."""
        down, up = _outputs_around(self.output, line.array, line.where, h * line.direction)
        below, above = (self.out - down) * self.dout, (up - self.out) * self.dout
        return float(np.sum(below)) / h, float(np.sum(above)) / h

    def compare(self, analytic: float, line: _Line, typical: float = 0.0) -> tuple[float, float, bool]:
        """The numeric value, the error relative to it or to `typical`, and whether a kink excuses it."""
        slopes = self.one_sided(line, self.h)
        numeric, error = self._error(analytic, slopes, self.h, typical)
        if math.isnan(error):  # the output stops being finite within the step
            return numeric, math.inf, False
        if error <= self.tolerance:
            return numeric, error, False
        # A wrong gradient is as wrong at any step; where the function curves sharply, or bends more than
        # once within the step, a shorter one is right.  Shorter still, and rounding would hide mistakes.
        for h in (self.h / 10, self.h / 100):
            finer, finer_error = self._error(analytic, self.one_sided(line, h), h, typical)
            size = max(abs(analytic), abs(finer), typical)
            if finer_error <= self.tolerance and abs(analytic - finer) <= 1e-4 * size:
                return finer, finer_error, False
        return numeric, error, self._is_kink(analytic, slopes, line, typical)

    def _error(
        self, analytic: float, slopes: tuple[float, float], h: float, typical: float
    ) -> tuple[float, float]:
        """The numeric value, and the error relative to it or to `typical`."""
        numeric = (slopes[0] + slopes[1]) / 2
        # Smaller values are compared as if they were this size: their difference may be rounding.
        smallest = self._rounding(h) / self.tolerance
        return numeric, abs(analytic - numeric) / max(abs(analytic), abs(numeric), typical, smallest)

    def _is_kink(self, analytic: float, slopes: tuple[float, float], line: _Line, typical: float) -> bool:
        """Whether a bend explains why `analytic` does not fit the slopes below and above.

        A step a tenth as long tells: it shrinks the gap between the slopes tenfold if the function is
        merely curved, leaves it if the function bends right here, and closes it if the function bends
        nearby; then the analytic value must fit the finer slopes, and lie between the coarser ones.
        """
        finer = self.one_sided(line, self.h / 10)
        slack = max(self.tolerance * max(abs(analytic), typical), self._rounding(self.h / 10))
        gap, finer_gap = abs(slopes[1] - slopes[0]), abs(finer[1] - finer[0])
        if finer_gap > max(gap / 2, 2 * slack):
            return True
        return all(min(pair) - slack <= analytic <= max(pair) + slack for pair in (slopes, finer))

    def _rounding(self, h: float) -> float:
        """What a difference quotient may be off by because outputs are rounded."""
        return _ROUNDING * max(1.0, float(np.sum(np.abs(self.out * self.dout)))) / h


def _row(
    name: str,
    array: Array,
    claimed: Any,
    slopes: _Slopes,
    method: Method,
    limit: int,
    rng: np.random.Generator,
) -> GradientRow:
    if problem := _malformed(name, array, claimed):
        return GradientRow(name, array.size, problem=problem)
    gradient = np.asarray(claimed, dtype=np.float64)
    if method == "projection":
        return _projected(name, array, gradient, slopes, rng)
    every = np.arange(array.size)
    chosen = every if array.size <= limit else np.sort(rng.choice(every, limit, replace=False))
    row, kinks = GradientRow(name, array.size, checked=len(chosen), error=0.0), 0
    for position in chosen:
        index = tuple(map(int, np.unravel_index(position, array.shape)))
        analytic = float(gradient[index])
        numeric, error, kink = slopes.compare(analytic, _Line(array, index))
        kinks += kink
        if not kink and (row.index is None or error > row.error):
            row = replace(row, error=error, index=index, analytic=analytic, numeric=numeric)
    problem = ""
    if row.error > slopes.tolerance:
        problem = _disagreement(f"At {row.index} the gradient of {name}", row.analytic, row.numeric)
    return replace(row, checked=len(chosen) - kinks, kinks=kinks, problem=problem)


def _projected(
    name: str, array: Array, gradient: Array, slopes: _Slopes, rng: np.random.Generator
) -> GradientRow:
    """Compare ⟨gradient, v⟩ with the slope along v, whose elements are ±1/√n: each weighs the same."""
    v = rng.choice((-1.0, 1.0), size=array.shape) / max(1, array.size) ** 0.5
    analytic = float(np.sum(gradient * v))
    # ⟨gradient, v⟩ may come out near 0 by chance; this is its size on average over v.
    typical = float(np.linalg.norm(gradient)) / max(1, array.size) ** 0.5
    numeric, error, kink = slopes.compare(analytic, _Line(array, ..., v), typical)
    problem = ""
    if error > slopes.tolerance and not kink:
        problem = _disagreement(f"Along a random direction the gradient of {name}", analytic, numeric)
    checked = 0 if kink else array.size
    return GradientRow(name, array.size, checked, error, None, analytic, numeric, int(kink), problem)


def _disagreement(what: str, analytic: float, numeric: float) -> str:
    return f"{what} is {analytic:.6g}, but the differences say {numeric:.6g}."


def _malformed(name: str, array: Array, claimed: Any) -> str:
    """What keeps `claimed` from being a gradient of `array` at all, as a sentence; "" if nothing does."""
    if claimed is None:
        return f"There is no gradient of {name}."
    try:
        gradient = np.asarray(claimed, dtype=np.float64)
    except (TypeError, ValueError):
        return f"The gradient of {name} is not an array of numbers, but {type(claimed).__name__}."
    if gradient.shape != array.shape:
        return f"The gradient of {name} has shape {gradient.shape}, but {name} has {array.shape}."
    wrong = np.argwhere(~np.isfinite(gradient))
    if len(wrong):
        first = tuple(map(int, wrong[0]))
        return (
            f"The gradient of {name} is {gradient[first]} at {first}; {len(wrong)} elements are not finite."
        )
    return ""


def _outputs_around(output: Callable[[], Any], array: Array, where: Any, by: Any) -> tuple[Array, Array]:
    """The outputs with array[where] moved down and up by `by`; afterwards the array is as it was."""
    kept = array[where].copy()
    try:
        array[where] = kept - by
        down = np.array(output())  # a copy, for `output` may use its memory again
        array[where] = kept + by
        return down, np.array(output())
    finally:
        array[where] = kept
