"""Is a backward pass right?  Hold its gradients against differences of the forward pass.

The slope of f at x is (f(x + h) − f(x − h)) / 2h up to a multiple of h²: computed from the forward
pass alone, it cannot share a mistake with the backward pass.  An output that is an array is made a
number first, by a *random* upstream gradient: L = Σ out · dout.  A constant one would prove little:
where outputs add up to a constant, as softmax's do, it makes every gradient 0.
"""

from __future__ import annotations

import contextlib
import copy
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from plaingrad.insight.gradients.report import GradientReport, GradientRow
from plaingrad.insight.gradients.slopes import ROUNDING, Line, Slopes, outputs_around
from plaingrad.insight.gradients.subjects import Misfit, Subject, subject_of
from plaingrad.insight.gradients.verdict import Finding, judge
from plaingrad.model import Model
from plaingrad.network import Layer

Array = np.ndarray
Method = Literal["elementwise", "projection"]


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
        down, up = outputs_around(lambda: f(x), x, index, h)
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
    of them, or by no more than rounding explains, 10⁻¹⁴ · |L| / h: some 10⁻⁹, so that beside larger
    ones a gradient of 10⁻¹⁰ does not fail.  Differences of a smooth function of ordinary size are exact
    to 10⁻⁷ or better, and a mistake in a derivation rarely stays below 10⁻³.

    Where the function bends within the step, as ReLU does at 0, the two one-sided slopes disagree, and
    any value between them is a convention.  Such an element counts as a kink, and is compared *nearby*:
    with all arrays moved by about 10⁴ h, and the gradient claimed anew.  So is an array whose gradient
    drowns in rounding.  What cannot be compared there either is a problem in the report, unless the
    gradient is 0 beside those of the other arrays.

    Gradients that are missing, misshapen or not finite, a loss that is not the same twice and arguments
    changed in place are problems in the report, not exceptions.  Raises TypeError for a call of none of
    the three forms or parameters that refuse to be float64, ValueError for an unknown method.
    """
    if method not in ("elementwise", "projection"):
        raise ValueError(f'method must be "elementwise" or "projection", not {method!r}')
    # A stream of its own: data is often drawn by default_rng(0), and an upstream gradient equal to x
    # hides bugs, for xᵀ dout is then symmetric, and a mask by dout is a mask by x.
    stream = (seed, zlib.crc32(b"check_gradients"))
    rng = np.random.default_rng(stream)
    with subject_of(subject, given, seed) as checked:
        claim = _claim(checked, rng)
        names = [name for name in checked.arrays if name in claim.gradients or checked.all_needed]
        if claim.problems or not names:
            nothing = ("There is nothing to check: no array of floats has a gradient.",)
            return GradientReport(method, tolerance, (), claim.problems or nothing)
        malformed = {
            name: problem
            for name in names
            if (problem := _malformed(name, checked.arrays[name], claim.gradients.get(name)))
        }
        lines = {
            name: _lines(checked.arrays[name], method, max_elements, rng)
            for name in names
            if name not in malformed
        }
        here = _findings(checked, claim, lines, h, tolerance)
        left_open = {name: along for name, found in here.items() if (along := found.left_open())}
        there: dict[str, Finding] = {}
        if left_open:  # with the same upstream gradient, drawn once more
            there = _findings_nearby(checked, left_open, h, tolerance, np.random.default_rng(stream))
        rows = tuple(
            GradientRow(name, array.size, problem=malformed[name])
            if name in malformed
            else judge(name, array, here[name], there.get(name))
            for name, array in checked.arrays.items()
            if name in names
        )
    return GradientReport(method, tolerance, rows)


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
    elif not problems and not np.allclose(out, np.asarray(again, np.float64), rtol=1e-10, atol=ROUNDING):
        problems.append(
            "Two calls on the same numbers give different outputs: make randomness a function of a seed."
        )
    if unknown := sorted(map(str, set(gradients) - set(subject.arrays))):
        problems.append(f"There are gradients of {', '.join(unknown)}, but no such arrays.")
    return _Claim(out, dout, gradients, tuple(problems))


@contextlib.contextmanager
def _moved(arrays: Iterable[Array], by: float, rng: np.random.Generator) -> Iterator[None]:
    """Inside, all arrays are a little away from where they were, in place; afterwards as they were."""
    kept = [(array, array.copy()) for array in arrays]
    try:
        for array, values in kept:
            array[...] = values + by * rng.standard_normal(array.shape)
        yield
    finally:
        for array, values in kept:
            array[...] = values


def _findings(
    subject: Subject, claim: _Claim, lines: Mapping[str, Sequence[Line]], h: float, tolerance: float
) -> dict[str, Finding]:
    """The comparisons along the lines of each array, with the claim made where the arrays are now."""
    slopes = Slopes(subject.output, claim.out, claim.dout, h, tolerance)
    gradients = {
        name: np.asarray(gradient, dtype=np.float64)
        for name, gradient in claim.gradients.items()
        if not _malformed(name, subject.arrays[name], gradient)
    }
    overall = max((float(np.max(np.abs(g), initial=0.0)) for g in gradients.values()), default=0.0)
    return {name: Finding.of(slopes, gradients[name], along, overall) for name, along in lines.items()}


def _findings_nearby(
    subject: Subject,
    lines: Mapping[str, Sequence[Line]],
    h: float,
    tolerance: float,
    rng: np.random.Generator,
) -> dict[str, Finding]:
    """The same with all arrays moved by about ten thousand steps; {} if the function is not defined there."""
    undefined = contextlib.suppress(ValueError, ArithmeticError)
    moves = rng.spawn(1)[0]
    with undefined, np.errstate(all="ignore"), _moved(subject.arrays.values(), 1e4 * h, moves):
        claim = _claim(subject, rng)
        sound = not any(_malformed(name, subject.arrays[name], claim.gradients.get(name)) for name in lines)
        if not claim.problems and sound:
            return _findings(subject, claim, lines, h, tolerance)
    return {}


def _lines(array: Array, method: Method, limit: int, rng: np.random.Generator) -> list[Line]:
    """Where to move the array: each element, or `limit` of them; or one direction for all.

    The direction's elements are about ±1/√n, so that each element of the array counts; not exactly, for
    gradients that add up to 0, as of biases before a softmax, have no slope at all along (1, 1, 1).
    """
    if method == "projection":
        signs = rng.choice((-1.0, 1.0), size=array.shape)
        return [Line(array, ..., signs * rng.uniform(0.5, 1.5, array.shape) / max(1, array.size) ** 0.5)]
    every = np.arange(array.size)
    chosen = every if array.size <= limit else np.sort(rng.choice(every, limit, replace=False))
    return [Line(array, tuple(map(int, np.unravel_index(i, array.shape)))) for i in chosen]


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
