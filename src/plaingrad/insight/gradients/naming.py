"""From wrong gradients to findings: where the mistake is, what it is, and the line to look at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plaingrad.insight.gradients import source
from plaingrad.insight.gradients.causes import CAUSES
from plaingrad.insight.gradients.causes.form import seems_single, single_precision
from plaingrad.insight.gradients.claims import Claim, Problem
from plaingrad.insight.gradients.evidence import Evidence, Named
from plaingrad.insight.gradients.nearness import from_the_loss, stage_of
from plaingrad.insight.gradients.report import GradientFinding, GradientReport, GradientRow
from plaingrad.insight.gradients.stages import Stage, wrong_stages
from plaingrad.insight.gradients.subjects import Subject
from plaingrad.insight.gradients.where import where_wrong


def findings(
    subject: Subject,
    claimed: Claim | None,
    problems: Sequence[Problem],
    rows: Mapping[str, GradientRow],
    earlier: Mapping[str, Any] | None = None,
) -> tuple[GradientFinding, ...]:
    """A finding for each mistake, the main one first.

    problems: what was seen without comparing.  rows: what comparing found.  In a model a mistake shows
    in every gradient further from the loss; those follow from it and get no finding of their own, unless
    they are proved to have a mistake of their own.
    """
    formal = {p.parameter for p in problems}
    wrong = [
        name for name in from_the_loss(subject) if name in rows and not rows[name].ok and name not in formal
    ]
    found = [_of_problem(subject, claimed, problem) for problem in problems]
    if not wrong or claimed is None:
        return tuple(found)
    e = Evidence(subject, claimed, tuple(wrong), earlier)
    with np.errstate(all="ignore"):
        named = _staged(subject, e, wrong) or _named(e, wrong, rows)
    return (*named, *found) if subject.kind == "pair" else (*found, *named)


def sees_single_precision(subject: Subject, claimed: Claim, name: str) -> str:
    """A sentence if a gradient that agrees is nevertheless not computed in float64."""
    gradient = np.asarray(claimed.gradients[name])
    if gradient.dtype == np.float64 and not seems_single(gradient):
        return ""
    with np.errstate(all="ignore"):
        named = single_precision(Evidence(subject, claimed), name)
    return named.why if named else ""


def remembered(report: GradientReport, subject: Subject, changed: str) -> GradientReport:
    """The report with its main finding, if nothing else explains it, named as something kept from earlier."""
    if not report.findings or report.findings[0].likely != "unknown":
        return report
    found = report.findings[0]
    line = f" Look at {found.line}" if found.line else ""
    told = (
        f"The gradient of {found.parameter} was right, but is not after {changed} changed (by some 20 %): backward "
        f"uses something kept from an earlier call.{line}"
    )
    named = replace(found, likely="stale_cache", explanation=told)
    return replace(report, findings=(named, *report.findings[1:]))


def _named(e: Evidence, wrong: Sequence[str], rows: Mapping[str, GradientRow]) -> list[GradientFinding]:
    """The findings of one subject, in which nothing inside can be looked at."""
    proved = {name: explained(e, name) for name in wrong}
    if e.is_model:  # within a layer, what is proved says more than what is not
        first = [name for name in wrong if stage_of(name) == stage_of(wrong[0])]
        order = [*sorted(first, key=lambda n: proved[n] is None), *(n for n in wrong if n not in first)]
    else:
        codes = {n: told.code if told else "unknown" for n, told in proved.items()}
        order = sorted(wrong, key=lambda n: codes[n] == "unknown")
    groups: dict[Any, list[str]] = {}
    follows: list[str] = []
    for name in order:
        told = proved[name]
        if told is None and e.is_model and groups:
            follows.append(name)
        else:
            key = (told.code, told.key) if told and told.key is not None else ("", name)
            groups.setdefault(key, []).append(name)
    result = []
    for i, names in enumerate(groups.values()):
        told = proved[names[0]] or _unknown(e, names[0], wrong)
        result.append(_finding(e, names, told, tuple(follows) if i == 0 else (), rows.get(names[0])))
    return result


def explained(e: Evidence, name: str) -> Named | None:
    """The first hypothesis that holds."""
    for cause in CAUSES:
        with contextlib.suppress(*_EXPERIMENT):
            if named := cause(e, name):
                return named
    return None


# An experiment runs a user's code on numbers nobody chose: what it raises there refutes the hypothesis.
_EXPERIMENT = (Exception,)


def _unknown(e: Evidence, name: str, wrong: Sequence[str]) -> Named:
    worst = np.abs(e.claimed[name] - e.numeric(name))
    index = np.unravel_index(int(np.nanargmax(np.where(np.isfinite(worst), worst, -1))), worst.shape)
    place = tuple(map(int, index))
    words = (
        f"No known mistake explains it. At {place} the gradient of {name} is {e.claimed[name][place]:.6g}, but the "
        f"differences say {e.numeric(name)[place]:.6g}."
    )
    if e.is_model:
        order = from_the_loss(e.subject)
        right = [other for other in order[: order.index(name)] if other not in wrong]
        before = (
            f"those of {', '.join(reversed(right))} are right"
            if right
            else "none nearer to the loss is right"
        )
        words += f" Counted from the loss backwards it is the first that is wrong; {before}."
    return Named("unknown", words)


def _finding(
    e: Evidence, names: Sequence[str], told: Named, follows: tuple[str, ...], row: GradientRow | None
) -> GradientFinding:
    name = names[0]
    a, n = e.claimed[name], e.numeric(name)
    size = float(np.nanmax(np.maximum(np.abs(a), np.abs(n)), initial=0)) or 1.0
    error = float(np.nanmax(np.abs(a - n), initial=0)) / size
    parts = [told.why]
    if len(names) > 1:
        parts.append(f"So {_are(names[1:])} that of {', '.join(names[1:])}.")
    if follows:
        parts.append(f"What is wrong in {', '.join(follows)} may follow from it.")
    line = _line(e.subject, name, told.code)
    parts.append(_look(e.subject, line, name))
    shared = (*names[1:], *follows)
    return GradientFinding(name, error, where_wrong(e, name), told.code, " ".join(parts), line, shared)


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _line(subject: Subject, name: str, code: str) -> str:
    position = list(subject.arrays).index(name) if name in subject.arrays else 0
    return source.gradient_line(subject.source, name, position, last=code.startswith("reg"))


def _look(subject: Subject, line: str, name: str) -> str:
    if line:
        return f"Look at {line}"
    return f"Look at what {source.name_of(subject.source)} returns for {name}."


def _of_problem(subject: Subject, claimed: Claim | None, problem: Problem) -> GradientFinding:
    name, code, sentence = problem.parameter, problem.code, problem.sentence
    if code == "shape" and name in subject.arrays and claimed is not None:
        code, more = _of_shape(subject, claimed, name)
        sentence += more
    if name in subject.arrays and code not in ("input_changed",):
        line = _line(subject, name, code)
    else:
        line = source.first_line(subject.source)
    look = _look(subject, line, name) if name or line else ""
    return GradientFinding(name, float("nan"), "all elements", code, f"{sentence} {look}".strip(), line)


def _of_shape(subject: Subject, claimed: Claim, name: str) -> tuple[str, str]:
    """What a misshapen gradient would be if it had the right shape: transposed, not summed, not reshaped."""
    array = subject.arrays[name]
    with contextlib.suppress(TypeError, ValueError), np.errstate(all="ignore"):
        a = np.asarray(claimed.gradients[name], np.float64)
        n = Evidence(subject, claimed).numeric(name)
        known = np.isfinite(n)

        def same(other: Any) -> bool:
            return other.shape == n.shape and np.allclose(other[known], n[known], rtol=1e-5, atol=1e-9)

        if a.ndim == 2 and same(a.T):
            return "transposed", " Transposed it is right."
        if a.size == array.size and same(a.reshape(array.shape)):
            return "shape", f" Reshaped to {array.shape} it is right."
        for axes in _some_axes(a.ndim):
            if same(a.sum(axis=axes)) or same(a.sum(axis=axes, keepdims=True)):
                return (
                    "shape",
                    f" Its sum over axes {list(axes)} is right: the sum over what {name} is broadcast to is missing.",
                )
        if n.ndim == a.ndim and any(same(a.transpose(order)) for order in _orders(a.ndim)):
            return "permuted", " With its axes in another order it is right."
    return "shape", ""


def _some_axes(ndim: int) -> Iterable[tuple[int, ...]]:
    from itertools import combinations

    return (axes for count in range(1, ndim + 1) for axes in combinations(range(ndim), count))


def _orders(ndim: int) -> Iterable[tuple[int, ...]]:
    from itertools import permutations

    return permutations(range(ndim)) if ndim <= 5 else ()


def _staged(subject: Subject, e: Evidence, wrong: Sequence[str]) -> list[GradientFinding]:
    """The findings inside a network, layer by layer from the loss backwards; [] if no single layer is wrong."""
    result: list[GradientFinding] = []
    for stage in wrong_stages(subject):
        result += _of_stage(stage, tuple(wrong))
    return result


def _of_stage(stage: Stage, wrong: tuple[str, ...]) -> list[GradientFinding]:
    found = []
    for finding in _named(stage.evidence, stage.evidence.wrong, {}):
        own = {finding.parameter, *finding.follows}
        name = finding.parameter if "." in finding.parameter else f"{stage.name}.{finding.parameter}"
        told = (
            f"{finding.explanation} The stage is {stage.name}: the gradient of its output is right, what its backward "
            f"pass makes of it is not."
        )
        follows = tuple(n for n in wrong if n not in own and n != name) if not found else ()
        found.append(
            GradientFinding(
                name,
                finding.error,
                finding.where,
                finding.likely,
                told,
                finding.line,
                (*finding.follows, *follows),
            )
        )
    return found
