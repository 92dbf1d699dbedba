"""Lines about the first step: the initial loss and the gradients."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.accumulation import loss_and_gradients
from plaingrad.insight.facts import ScoreFacts
from plaingrad.insight.gradients import check_gradients
from plaingrad.insight.layer_facts import score_facts
from plaingrad.insight.preflight.report import Line
from plaingrad.insight.preflight.subject import Subject
from plaingrad.network import Hinge, MeanSquaredError

# Scores of standard deviation σ give a loss of about ln C + σ²/2.  The networks of plaingrad start at up to
# 2.7 ln C on normalised images; at 4 ln C the network is far surer than it has reason to be.
TOO_SURE = 4.0
# Without knowledge of the labels no loss can be much below ln C.
TOO_GOOD = 0.5
# A loss that is a sum over the samples doubles with their number; a mean stays.
SUM_FROM = 1.5
SAMPLES = 200

GRADIENT_SAMPLES = 6
GRADIENT_SECONDS = 25.0  # at most; a fifth of it where nothing is hard to compare
_MOST_ELEMENTS = 20
# An element or a direction takes up to so many losses, where rounding or a kink makes it hard to compare.  The
# checker looks along so many directions besides the elements of each array.
_LOSSES, _DIRECTIONS = 20, 4


def initial_loss(subject: Subject) -> Line:
    """Whether the loss starts where guessing is: at ln C for cross-entropy, at C − 1 for the hinge loss."""
    name = "initial-loss"
    X, y = subject.batch(SAMPLES)
    with np.errstate(all="ignore"):
        scores = np.asarray(subject.model.loss(X))
        if scores.ndim != 2 or scores.shape[1] <= y.max():
            return Line(name, "skipped", "without labels, the model does not give a score for each class")
        total = _loss(subject, X, y)
        seen = score_facts(scores, y)
    count = scores.shape[1]
    kind, expected = _expected(subject, scores, y, total)
    if expected is None:
        return Line(name, "skipped", f"the loss is {total:.4g}; what {kind} starts at is not known")
    penalty = _penalty(subject, scores, y, total)
    loss = total - penalty
    numbers = {"loss": loss, "regularization": penalty, "expected": expected, "classes": count}
    finding = f"{loss:.4g}, and guessing gives {_formula(kind, count)} = {expected:.4g}"
    if penalty:
        finding += f" (and {penalty:.3g} of regularisation)"
    if not math.isfinite(total):
        return Line(
            name, "fail", f"the loss is {total} before any training",
            "look at the line activations, and at the data for NaN", numbers,
        )  # fmt: skip
    if kind != "the hinge loss" and (problem := _wrong_scores(subject, seen)):
        return Line(name, "fail", f"{finding}: {problem[0]}", problem[1], numbers)
    if loss < TOO_GOOD * expected:
        return Line(
            name, "warn", f"{finding}: nothing was learnt yet, so it should not be that low",
            "look whether the weights were trained before, the labels are among the inputs, or the loss is "
            "divided by too much", numbers,
        )  # fmt: skip
    if loss > TOO_SURE * expected:
        half = slice(0, max(1, len(y) // 2))
        ratio = loss / max(_loss(subject, X[half], y[half]) - penalty, 1e-12)
        if ratio > SUM_FROM and len(y) > 1:
            return Line(
                name, "warn", f"{finding}; half of the samples have {100 / ratio:.0f} % of it",
                "average the loss over the samples: a sum grows with the batch, and so do the steps", numbers,
            )  # fmt: skip
        return Line(
            name, "warn", f"{finding}: the network is sure of what it cannot know",
            "normalise the inputs, or make the initial weights of the last layer smaller", numbers,
        )  # fmt: skip
    return Line(name, "pass", finding, numbers=numbers)


def gradients(subject: Subject) -> Line:
    """Whether the gradients agree with numeric differences, in float64, on a few samples."""
    name = "gradients"
    X, y = subject.batch(GRADIENT_SAMPLES)
    model = subject.fresh().model
    seconds = _float64_seconds(subject, X, y)
    each = _LOSSES * seconds * len(model.params)  # for one element or direction in every array
    if each > GRADIENT_SECONDS:
        return Line(
            name, "skipped",
            f"a loss takes {seconds:.2g} s in float64: to compare {len(model.params)} arrays could take "
            f"{each:.0f} s, and there are {GRADIENT_SECONDS:g}", "take the time: plaingrad check --gradients",
        )  # fmt: skip
    elements = min(_MOST_ELEMENTS, int(GRADIENT_SECONDS / each) - _DIRECTIONS)
    try:
        if elements > 0:
            report = check_gradients(model, X, y, max_elements=elements)
        else:
            report = check_gradients(model, X, y, method="projection")
    except TypeError as error:
        return Line(name, "skipped", f"they cannot be compared: {error}", "let parameters be float64")
    worst = max((row.error for row in report.rows if not math.isnan(row.error)), default=math.nan)
    numbers = {"worst_error": worst, "arrays": len(report.rows)}
    if report.ok:
        return Line(
            name, "pass", f"all {len(report.rows)} agree with numeric differences, within {worst:.1e}", numbers=numbers
        )  # fmt: skip
    sentences = [
        *(
            f"{found.likely} in {found.parameter or 'the model'}: {found.explanation}"
            for found in report.findings
        ),
        *report.problems,
        *(row.problem for row in report.rows if row.problem),
    ]
    return Line(
        name, "fail", sentences[0], "see all of them: pg.check_gradients, or plaingrad check --gradients",
        numbers | {"wrong": [row.name for row in report.rows if not row.ok]},
    )  # fmt: skip


def _loss(subject: Subject, X: Any, y: Any) -> float:
    """The loss at the initial weights; running statistics that this changes are not ours."""
    return loss_and_gradients(subject.fresh().model, X, y, step=0)[0]


def _losses(scores: Any, y: Any) -> dict[str, float]:
    """What usual losses make of scores (N, C)."""
    scores = np.asarray(scores, dtype=np.float64)
    return {
        "cross-entropy": float(ops.softmax_cross_entropy_forward(scores, y)[0]),
        "the hinge loss": float(ops.hinge_forward(scores, y)[0]),
    }


def _expected(subject: Subject, scores: Any, y: Any, total: float) -> tuple[str, float | None]:
    """Which loss this is, and what it is when nothing is known; None where that cannot be told.

    A model of one's own does not say which loss it computes.  It is the one that, beside L2, which does not
    depend on the samples, comes out of its scores; else cross-entropy is taken for granted.
    """
    count = scores.shape[1]
    objective = getattr(subject.model, "objective", None)
    if isinstance(objective, MeanSquaredError):
        return "the squared error", None
    if isinstance(objective, Hinge):
        return "the hinge loss", objective.margin * (count - 1)
    if objective is None and (kind := _recognised(subject, scores, y, total)) == "the hinge loss":
        return kind, float(count - 1)
    return "cross-entropy", math.log(count)


def _recognised(subject: Subject, scores: Any, y: Any, total: float) -> str | None:
    """The name of the loss that the model's scores have, up to a constant that is the same for other samples."""
    half = len(y) // 2
    if not half or not math.isfinite(total):
        return None
    X = subject.batch(SAMPLES)[0]
    part = _loss(subject, X[:half], y[:half])
    whole_losses, part_losses = _losses(scores, y), _losses(scores[:half], y[:half])
    for kind, loss in whole_losses.items():
        constant, again = total - loss, part - part_losses[kind]
        if constant > -1e-4 * abs(total) and abs(constant - again) <= 1e-4 * abs(total):
            return kind
    return None


def _penalty(subject: Subject, scores: Any, y: Any, total: float) -> float:
    """How much of the loss is L2."""
    if subject.network is not None:
        params = subject.network.params
        w = params.flat[: params.size_first].astype(np.float64)
        return 0.5 * subject.network.reg * float(w @ w)
    kind = _recognised(subject, scores, y, total)
    penalty = total - _losses(scores, y)[kind] if kind else 0.0
    return penalty if penalty > 1e-4 * abs(total) else 0.0


def _formula(kind: str, count: int) -> str:
    return f"{count} − 1" if kind == "the hinge loss" else f"ln {count}"


def _wrong_scores(subject: Subject, seen: ScoreFacts) -> tuple[str, str] | None:
    """Scores that the objective is not made for, and what to do."""
    objective = type(getattr(subject.model, "objective", None)).__name__
    if objective == "NegativeLogLikelihood" and not seen.log_probabilities:
        return (
            "it is of raw scores, not of log-probabilities",
            "put LogSoftmax before it, or use cross-entropy",
        )
    if objective == "SoftmaxCrossEntropy" and seen.probabilities:
        return (
            "the scores are probabilities already, and softmax is applied to them once more",
            "take the softmax out of the network: the loss has it",
        )
    return None


def _float64_seconds(subject: Subject, X: Any, y: Any) -> float:
    """How long a loss and its gradients take in the precision of the check."""
    model: Any = subject.fresh().model
    if astype := getattr(model, "astype", None):
        model, X = astype(np.float64), np.asarray(X, dtype=np.float64)
    model.loss(X, y)
    started = time.perf_counter()
    model.loss(X, y)
    return max(time.perf_counter() - started, 1e-6)
