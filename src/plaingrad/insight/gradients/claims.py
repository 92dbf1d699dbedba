"""The gradients claimed, and what makes them worthless before a single number is compared."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from plaingrad.insight.gradients.slopes import ROUNDING, size_of
from plaingrad.insight.gradients.subjects import Misfit, Subject

Array = np.ndarray
UPSTREAM = "the upstream gradient"


class Problem(NamedTuple):
    """A mistake seen without comparing numbers: its code, the array it concerns, a sentence."""

    code: str
    parameter: str
    sentence: str


class Claim(NamedTuple):
    """The output, the upstream gradient, the gradients claimed for it, and what makes them worthless."""

    out: Array
    dout: Array
    gradients: dict[str, Any]
    problems: tuple[Problem, ...]


def claim(subject: Subject, rng: np.random.Generator) -> Claim:
    """Run the subject forward, and forward and backward on the same numbers."""
    given = {**subject.arrays, **subject.others}
    before = {name: array.copy() for name, array in given.items()}
    try:
        raw = subject.output()
    except Misfit as misfit:
        return Claim(np.zeros(()), np.zeros(()), {}, (Problem("shape", "", str(misfit)),))
    try:
        out = np.array(raw, dtype=np.float64)
    except (TypeError, ValueError):
        told = f"The output must be an array of numbers, not {type(raw).__name__}."
        return Claim(np.zeros(()), np.zeros(()), {}, (Problem("shape", "", told),))
    dout = rng.standard_normal(out.shape) if subject.random_upstream else np.ones(out.shape)
    handed = given[UPSTREAM] = dout.copy()
    before[UPSTREAM] = dout
    try:
        again, claimed = subject.claimed(handed)
    except Misfit as misfit:
        return Claim(out, dout, {}, (Problem("shape", "", str(misfit)),))
    gradients = {name: copy.copy(gradient) for name, gradient in claimed.items()}
    problems = [
        Problem(
            "input_changed",
            name,
            f"The call changes {name} in place: whoever passed it still needs it, work on a copy.",
        )
        for name, array in given.items()
        if not np.array_equal(array, before[name], equal_nan=array.dtype.kind == "f")
    ]
    if not np.isfinite(out).all():
        problems.append(
            Problem("not_finite", "", "The output is not finite: there is no slope to compare with.")
        )
    elif not problems and not _same(out, again):
        problems.append(
            Problem(
                "nondeterministic",
                "",
                "Two calls on the same numbers give different outputs: make randomness a function of a seed.",
            )
        )
    if unknown := sorted(map(str, set(gradients) - set(subject.arrays))):
        problems.append(
            Problem("missing", "", f"There are gradients of {', '.join(unknown)}, but no such arrays.")
        )
    if not problems:
        problems.extend(_differing_calls(subject, gradients, dout))
    if not problems and (sentence := _single_precision(subject, raw)):
        problems.append(Problem("wrong_g_dtype", "", sentence))
    return Claim(out, dout, gradients, tuple(problems))


def malformed(name: str, array: Array, claimed: Any) -> Problem | None:
    """What keeps `claimed` from being a gradient of `array` at all; None if nothing does."""
    if claimed is None:
        return Problem("missing", name, f"There is no gradient of {name}.")
    try:
        gradient = np.asarray(claimed, dtype=np.float64)
    except (TypeError, ValueError):
        kind = type(claimed).__name__
        return Problem("shape", name, f"The gradient of {name} is not an array of numbers, but {kind}.")
    if gradient.shape != array.shape:
        shapes = f"has shape {gradient.shape}, but {name} has {array.shape}"
        return Problem("shape", name, f"The gradient of {name} {shapes}.")
    wrong = np.argwhere(~np.isfinite(gradient))
    if len(wrong):
        first = tuple(map(int, wrong[0]))
        value = f"{gradient[first]} at {first}; {len(wrong)} elements are not finite"
        return Problem("not_finite", name, f"The gradient of {name} is {value}.")
    return None


def _same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-10, atol=ROUNDING, equal_nan=True)


def _differing_calls(subject: Subject, gradients: Mapping[str, Any], dout: Array) -> Iterator[Problem]:
    """What a second call, and for a pair a second backward pass, do differently."""
    sound = {
        n: g for n, g in gradients.items() if n in subject.arrays and not malformed(n, subject.arrays[n], g)
    }
    _, second = subject.claimed(dout.copy())
    differing = [name for name, g in sound.items() if not _same(g, second.get(name, np.nan))]
    if differing:
        name = differing[0]
        if _grows(sound, second):
            yield Problem(
                "stale_cache",
                name,
                f"From call to call on the same numbers the gradient of {name} grows by the same amount: it is added "
                "to that of the call before. Begin each call with zeros.",
            )
        else:
            yield Problem(
                "nondeterministic",
                name,
                f"Two calls on the same numbers give the same output but different gradients of {name}: "
                "backward must use the random numbers of its forward pass.",
            )
        return
    if subject.again is None:
        return
    found: tuple[dict[str, Any], dict[str, Any]] = {}, {}
    with contextlib.suppress(Exception):  # a backward function may need a forward pass before each call
        found = subject.again(dout)
    for name in sound.keys() & found[0].keys():
        if not _same(found[1].get(name, np.nan), found[0][name]):
            yield Problem(
                "input_changed",
                name,
                f"A second backward pass with the same cache gives another gradient of {name}: backward changes "
                "arrays of its cache in place, work on a copy.",
            )
            return


def _grows(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether all gradients of a call are (m + 1)/m times those of the call before, with one whole m."""
    a = np.concatenate([np.ravel(np.asarray(g, np.float64)) for g in first.values()])
    b = np.concatenate([np.ravel(np.asarray(second.get(name, np.nan), np.float64)) for name in first])
    if a.shape != b.shape or not a.any():
        return False
    times = float(a @ b) / float(a @ a)
    whole = 1 / (times - 1) if times > 1 else 0.5
    return abs(whole - round(whole)) < 1e-6 and _same(times * a, b)


def _single_precision(subject: Subject, out: Any) -> str:
    """A sentence if the output is computed in float32, although all numbers handed over are float64."""
    if not _in_float32(out):
        return ""
    kept = {name: array.copy() for name, array in subject.arrays.items()}
    try:
        for array in subject.arrays.values():
            array[...] = array + 1e-3 * size_of(array) * np.sqrt(np.arange(2.0, array.size + 2)).reshape(
                array.shape
            )
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            if _in_float32(subject.output()):
                return (
                    "The output is rounded to float32 although everything handed over is float64, so its "
                    "differences are noise: compute in the dtype of the arrays, without astype or dtype=float32."
                )
    finally:
        for name, array in subject.arrays.items():
            array[...] = kept[name]
    return ""


def _in_float32(out: Any) -> bool:
    """Whether all numbers are such as float32 has, and not just whole ones or simple fractions."""
    with np.errstate(all="ignore"):
        values = np.asarray(out, np.float64)
        return bool(
            np.all(values == values.astype(np.float32)) and np.any(values * 4096 != np.round(values * 4096))
        )
