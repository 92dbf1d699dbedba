"""Is a backward pass right?  Hold its gradients against differences of the forward pass.

The slope of f at x is (f(x + h) − f(x − h)) / 2h up to a multiple of h²: computed from the forward
pass alone, it cannot share a mistake with the backward pass.  An output that is an array is made a
number first, by a *random* upstream gradient: L = Σ out · dout.  A constant one would prove little:
where outputs add up to a constant, as softmax's do, it makes every gradient 0.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import numpy as np

from plaingrad.insight.gradients.claims import Claim, Problem, claim, malformed
from plaingrad.insight.gradients.naming import findings, remembered, sees_single_precision
from plaingrad.insight.gradients.report import GradientReport, GradientRow
from plaingrad.insight.gradients.slopes import Line, Slopes, size_of
from plaingrad.insight.gradients.subjects import Subject, subject_of
from plaingrad.insight.gradients.verdict import Compared, judge
from plaingrad.model import Model
from plaingrad.network import Layer

Array = np.ndarray
Method = Literal["auto", "elementwise", "projection"]
FEW = 64  # elements of an array that are all compared one by one


@overload
def check_gradients(
    model: Model, X: Any, y: Any, /, *, method: Method = ..., h: float | None = ..., tolerance: float = ...,
    max_elements: int = ..., seed: int = ...,
) -> GradientReport: ...  # fmt: skip
@overload
def check_gradients(
    forward: Callable[..., Any], backward: Callable[..., Any], inputs: tuple[Any, ...], /, *,
    method: Method = ..., h: float | None = ..., tolerance: float = ..., max_elements: int = ..., seed: int = ...,
) -> GradientReport: ...  # fmt: skip
@overload
def check_gradients(
    layer: Layer, x: Array, /, *, method: Method = ..., h: float | None = ..., tolerance: float = ...,
    max_elements: int = ..., seed: int = ...,
) -> GradientReport: ...  # fmt: skip
def check_gradients(
    subject: Any,
    /,
    *given: Any,
    method: Method = "auto",
    h: float | None = None,
    tolerance: float = 1e-6,
    max_elements: int = 200,
    seed: int = 0,
) -> GradientReport:
    """Compare the gradients of a model, an op pair or a layer with differences in float64; name mistakes.

    Three forms:

    - `check_gradients(model, X, y)`: anything with `params` and `loss(X, y) -> loss, gradients`, at its
      present parameters.  A Network is checked on a float64 copy, input included; the arrays of
      another model are moved in place, and are as they were afterwards.
    - `check_gradients(forward, backward, inputs)`: `forward(*inputs) -> out, cache`;
      `backward(dout, cache)` returns the gradient of the one input of floats, or a tuple for all of
      them, None for one to leave out.  Bind keyword arguments with `functools.partial` or a lambda.
      Inputs may be NumPy's, PyTorch's or JAX's arrays; the pair then gets its own library's, in float64.
    - `check_gradients(layer, x)`: a layer spec on x (N, ...), in training mode, with parameters drawn
      around their initial values, so that a γ left out of a formula is not hidden by being 1.

    method: "elementwise" compares each element, or `max_elements` of them, drawn for each array;
    "projection" compares for each array the slope along one random direction, at the cost of two
    evaluations.  "auto" compares small arrays element by element, others along two directions and at
    some elements, element by element where that fails; and if all is right, once more at another place,
    where no γ is 1 and no bias 0.  h: the first step, by default chosen by the array's size; shorter and
    longer ones follow where it fails.  seed: of the upstream gradient, the directions, the elements.

    An element passes if analytic and numeric value differ by no more than `tolerance` times the larger
    of them, or by no more than the error that the differences are estimated to have.

    Where the function bends within the step, as ReLU does at 0, the two one-sided slopes disagree, and
    any value between them is a convention.  Such an element counts as a kink, and is compared *nearby*:
    with all arrays moved by about 0.1, and the gradient claimed anew.  So is an array whose gradient
    drowns in rounding.  What cannot be compared there either is a problem in the report, unless the
    gradient is 0 beside those of the other arrays.

    A wrong gradient gets a finding that names the mistake: docs/gradient-check.md lists the codes and
    the evidence each one rests on.  Gradients that are missing, misshapen or not finite, a loss that is
    not the same twice and arguments changed in place are findings too, not exceptions.  Raises TypeError
    for a call of none of the three forms, a forward function that does not return (out, cache) or
    parameters that refuse to be float64, ValueError for an unknown method.
    """
    if method not in ("auto", "elementwise", "projection"):
        raise ValueError(f'method must be "auto", "elementwise" or "projection", not {method!r}')
    # A stream of its own: data is often drawn by default_rng(0), and an upstream gradient equal to x
    # hides bugs, for xᵀ dout is then symmetric, and a mask by dout is a mask by x.
    stream = (seed, zlib.crc32(b"check_gradients"))
    with subject_of(subject, given, seed) as checked:
        settings = (method, tolerance, h, max_elements)
        report = _report(checked, stream, *settings)
        if method == "auto" and report.ok:
            report = (
                _second_look(checked, np.random.default_rng((*stream, 1)), (*stream, 2), settings) or report
            )
        return report


def _report(
    subject: Subject,
    stream: tuple[int, ...],
    method: Method,
    tolerance: float,
    h: float | None,
    max_elements: int,
    earlier: Mapping[str, Any] | None = None,
) -> GradientReport:
    """The check where the arrays are now.  earlier: the gradients claimed in the calls before."""
    rng = np.random.default_rng(stream)
    claimed = claim(subject, rng)
    names = [name for name in subject.arrays if name in claimed.gradients or subject.all_needed]
    problems = claimed.problems
    if not problems and not names:
        nothing = "There is nothing to check: no array of floats has a gradient."
        problems = (Problem("missing", "", nothing),)
    if problems:
        sentences = tuple(problem.sentence for problem in problems)
        return GradientReport(method, tolerance, (), sentences, findings(subject, claimed, problems, {}))
    bad = {n: p for n in names if (p := malformed(n, subject.arrays[n], claimed.gradients.get(n)))}
    lines = {n: _lines(subject.arrays[n], method, max_elements, rng) for n in names if n not in bad}
    here = _compared(subject, claimed, lines, h, tolerance)
    if method == "auto":  # a projection that fails says that something is wrong, elements say what
        failed = [n for n, found in here.items() if found.left_open() and subject.arrays[n].size > FEW]
        closer = {n: _elements(subject.arrays[n], max_elements, rng) for n in failed}
        for n, found in _compared(subject, claimed, closer, h, tolerance).items():
            if found.left_open() or not any(c.fit == "differs" for c in here[n].compared):
                here[n] = found
    left_open = {name: along for name, found in here.items() if (along := found.left_open())}
    there: dict[str, Compared] = {}
    if left_open:  # with the same upstream gradient, drawn once more
        there = _compared_nearby(subject, left_open, h, tolerance, np.random.default_rng(stream))
    rows = {
        n: GradientRow(n, array.size, problem=bad[n].sentence)
        if n in bad
        else judge(n, array, here[n], there.get(n), deep=subject.deep)
        for n, array in subject.arrays.items()
        if n in names
    }
    for name, row in rows.items():
        if row.ok and (sentence := sees_single_precision(subject, claimed, name)):
            rows[name] = replace(row, problem=sentence)
    named = findings(subject, claimed, tuple(bad.values()), rows, earlier)
    return GradientReport(method, tolerance, tuple(rows.values()), (), named)


def _second_look(
    subject: Subject, rng: np.random.Generator, stream: tuple[int, ...], settings: tuple[Any, ...]
) -> GradientReport | None:
    """The check once more, on other numbers and other data; None if nothing is wrong there either.

    What is right here and wrong there for no reason of its own is kept from an earlier call.
    """
    method, *rest = settings

    def again(one: Subject, earlier: Any = None) -> GradientReport | None:
        with (
            contextlib.suppress(Exception),
            np.errstate(all="ignore"),
        ):  # a user's code on numbers nobody chose
            report = _report(one, stream, "projection", *rest, earlier=earlier)
            unsure = report.problems or any("could not be" in row.problem for row in report.rows)
            return None if report.ok or unsure else replace(report, method=method)
        return None

    def before(one: Subject) -> Any:
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            dout = np.random.default_rng(stream).standard_normal(np.shape(one.output()))
            return {name: np.array(g, np.float64) for name, g in one.claimed(dout)[1].items()}
        return None

    earlier = before(subject)
    with _elsewhere(subject, rng, constants=False):
        late = _late(subject, stream)
        if late is not None:
            return GradientReport(method, rest[0], (), (late.sentence,), findings(subject, None, (late,), {}))
        if report := again(subject, earlier):
            return remembered(
                report, subject, "the parameters have" if subject.kind == "model" else "its inputs have"
            )
        other = subject.other_batch()
        earlier = before(subject)
        if other is not None and (report := again(other, earlier)):
            return remembered(report, subject, "the data have")
    with _elsewhere(subject, rng, constants=True):
        return again(subject)


def _late(subject: Subject, stream: tuple[int, ...]) -> Problem | None:
    """What is claimed in the first call on new numbers, beside what is claimed for them in the second."""
    with contextlib.suppress(Exception), np.errstate(all="ignore"):
        dout = np.random.default_rng(stream).standard_normal(np.shape(subject.output()))
        with _elsewhere(subject, np.random.default_rng((*stream, 1)), constants=False):
            first = {name: np.array(g, np.float64) for name, g in subject.claimed(dout.copy())[1].items()}
            for name, second in subject.claimed(dout.copy())[1].items():
                if not np.allclose(first[name], second, rtol=1e-8, atol=1e-12, equal_nan=True):
                    return Problem(
                        "stale_cache",
                        name,
                        f"The first call on new numbers gives another gradient of {name} than the second call on the "
                        "same: backward uses what the call before has left.",
                    )
    return None


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


@contextlib.contextmanager
def _elsewhere(subject: Subject, rng: np.random.Generator, *, constants: bool) -> Iterator[None]:
    """Inside, the arrays hold other numbers of their size and sign; afterwards their own.

    constants: whether arrays of one number only, as γ = 1 and b = 0 at the start, become others too.
    """
    kept = [(array, array.copy()) for array in subject.arrays.values()]
    try:
        for array, values in kept:
            noise = rng.standard_normal(array.shape)
            if array.size and (constants or np.ptp(values)):
                unit = 0.1 * min(1.0, size_of(values))
                array[...] = np.where(values == 0, unit * noise, values * np.exp(0.2 * noise))
        yield
    finally:
        for array, values in kept:
            array[...] = values


def _compared(
    subject: Subject,
    claimed: Claim,
    lines: Mapping[str, Sequence[Line]],
    h: float | None,
    tolerance: float,
) -> dict[str, Compared]:
    """The comparisons along the lines of each array, with the claim made where the arrays are now."""
    slopes = Slopes(subject.output, claimed.out, claimed.dout, tolerance, h, subject.deep)
    gradients = {
        name: np.asarray(gradient, dtype=np.float64)
        for name, gradient in claimed.gradients.items()
        if not malformed(name, subject.arrays[name], gradient)
    }
    overall = max((float(np.max(np.abs(g), initial=0.0)) for g in gradients.values()), default=0.0)
    return {name: Compared.of(slopes, gradients[name], along, overall) for name, along in lines.items()}


def _compared_nearby(
    subject: Subject,
    lines: Mapping[str, Sequence[Line]],
    h: float | None,
    tolerance: float,
    rng: np.random.Generator,
) -> dict[str, Compared]:
    """The same with all arrays moved by about 0.1; {} if the function is not defined there."""
    undefined = contextlib.suppress(ValueError, ArithmeticError)
    moves = rng.spawn(1)[0]
    with undefined, np.errstate(all="ignore"), _moved(subject.arrays.values(), 0.1, moves):
        claimed = claim(subject, rng)
        sound = not any(malformed(n, subject.arrays[n], claimed.gradients.get(n)) for n in lines)
        if not claimed.problems and sound:
            moved = {
                n: [line._replace(unit=size_of(line.array)) for line in along] for n, along in lines.items()
            }
            return _compared(subject, claimed, moved, h, tolerance)
    return {}


def _lines(array: Array, method: Method, limit: int, rng: np.random.Generator) -> list[Line]:
    """Where to move the array: along directions, at elements, or both."""
    if method == "projection":
        return [_direction(array, rng)]
    if method == "elementwise" or array.size <= FEW:
        return _elements(array, limit, rng)
    return [_direction(array, rng), _direction(array, rng), *_elements(array, min(limit, FEW // 2), rng)]


def _direction(array: Array, rng: np.random.Generator) -> Line:
    """The whole array, along one random direction.

    The direction's elements are about ±1/√n, so that each element of the array counts; not exactly, for
    gradients that add up to 0, as of biases before a softmax, have no slope at all along (1, 1, 1).
    """
    signs = rng.choice((-1.0, 1.0), size=array.shape)
    return Line(
        array, ..., signs * rng.uniform(0.5, 1.5, array.shape) / max(1, array.size) ** 0.5, size_of(array)
    )


def _elements(array: Array, limit: int, rng: np.random.Generator) -> list[Line]:
    """Every element, or `limit` of them."""
    every = np.arange(array.size)
    chosen = every if array.size <= limit else np.sort(rng.choice(every, limit, replace=False))
    places = [tuple(map(int, np.unravel_index(i, array.shape))) for i in chosen]
    unit = size_of(array)
    return [Line(array, where, unit=max(unit, abs(float(array[where])))) for where in places]
