"""Rules about losses that mean something else than they should, or nothing any more."""

from __future__ import annotations

import math

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.readings import (
    Curve,
    class_count,
    counted,
    cross_entropy,
    last_evaluation,
    number,
    objective,
    percent,
    step_losses,
)


def nll_of_raw_scores(evidence: Evidence) -> Finding | None:
    """A negative log-likelihood below 0: what it was given were no log-probabilities."""
    if objective(evidence) not in (None, "negativeloglikelihood"):
        return None
    seen: list[str] = []
    sure = 0.0
    curve = step_losses(evidence)
    values = [(i, v) for i, v in enumerate(evidence.losses, start=1) if v < 0]
    values += [
        (e.step, e.train_loss) for e in evidence.evaluations if e.train_loss is not None and e.train_loss < 0
    ]
    if values and (curve is None or len(values) > 0.1 * curve.values.size):
        step, value = values[0]
        seen.append(f"the loss is {number(value)} at step {step}; −log of a probability is never below 0")
        low = min(values, key=lambda pair: pair[1])
        seen.append(f"it goes down to {number(low[1])} (step {low[0]})")
        sure = 0.95
    look = evidence.looks[0] if evidence.looks else None
    if (
        look is not None
        and look.scores is not None
        and not look.scores.log_probabilities
        and not look.scores.probabilities
    ):
        told = objective(evidence) == "negativeloglikelihood"
        is_nll = (
            abs(look.loss - look.scores.nll) < 0.02 * look.scores.std
            and abs(look.loss - look.scores.loss) > 0.1
        )
        if told or (is_nll and sure):
            seen.append(
                f"at step {look.step} the scores lie between {number(look.scores.low)} and "
                f"{number(look.scores.high)}: no log-probabilities"
                + (
                    f", and the loss, {number(look.loss)}, is minus their mean at the labels"
                    if is_nll
                    else ""
                )
            )
            sure = 1.0
    if not sure:
        return None
    return Finding(
        "nll_of_raw_scores",
        sure,
        "The loss is the negative log-likelihood of raw scores: there is no log-softmax before it.",
        tuple(seen),
        "−score of the right class can be lowered without end by making all scores larger; nothing makes "
        "the other classes' scores lower. The loss falls below 0, the weights grow, and in the end numbers "
        "overflow.",
        "Put log-softmax before this loss, or use cross-entropy, which has it built in.",
        {"network.loss": "softmax"} if objective(evidence) == "negativeloglikelihood" else {},
    )


# How far below its floor a loss may be by rounding, and how near above the floor it must come to be recognised.
AT_FLOOR = 0.02
# Half right, and a loss that could be 0.7 is above 1.9.
HALF = 0.5
# Without scores, a loss that passes the floor on its way down must not count: it has stopped there, by less than
# this share in the last three tenths of the run, with nearly all samples right.
STOPPED = 0.02
NEARLY_ALL = 0.8


def softmax_twice(evidence: Evidence) -> Finding | None:
    """The loss takes probabilities for scores; then it cannot fall below ln(C − 1 + e) − 1."""
    classes = class_count(evidence)
    if classes is None or not cross_entropy(evidence) or evidence.setup.label_smoothing:
        return None
    floor = math.log(classes - 1 + math.e) - 1
    seen: list[str] = []
    sure = 0.0
    looks = [look for look in evidence.looks if look.scores is not None]
    if looks and all(look.scores and look.scores.probabilities for look in looks):
        last = looks[-1]
        scores = last.scores
        if (
            scores is not None
            and abs(last.loss - scores.loss) < AT_FLOOR + 0.02 * scores.loss
            and scores.loss > floor - AT_FLOOR
        ):
            seen.append(
                f"the scores are probabilities (between {number(scores.low)} and {number(scores.high)}, "
                f"rows sum to 1), and the loss at step {last.step}, {number(last.loss)}, is the "
                "cross-entropy of their softmax"
            )
            sure = 0.95
    known, curve = last_evaluation(evidence, "train_accuracy"), step_losses(evidence)
    if (
        known is not None
        and (known.train_accuracy or 0) > HALF
        and not evidence.setup.reg
        and (sure or not looks)
    ):
        accuracy = known.train_accuracy or 0.0
        end = curve.part(0.9, 1).mean if curve is not None else known.train_loss
        stopped = accuracy > NEARLY_ALL and curve is not None and _flat(curve)
        if (
            end is not None
            and (sure or stopped)
            and floor - AT_FLOOR < end < floor + (1 - accuracy) + 0.35
            and end > floor + 0.46 * (1 - accuracy)
        ):
            seen.append(
                f"the training accuracy is {percent(accuracy)} at step {known.step}, but the loss is still "
                f"{number(end)}: near ln({classes} − 1 + e) − 1 = {number(floor)}, the least that a softmax "
                "of probabilities allows"
            )
            sure = max(sure, 0.8)
    if not sure:
        return None
    return Finding(
        "softmax_twice",
        sure,
        "Softmax is applied twice: by the network and again by the loss.",
        tuple(seen),
        "Probabilities lie between 0 and 1, so their softmax is nearly even however sure they are: the "
        "loss has a floor, and the gradient fades where the network is surest.",
        "Let the network end in raw scores; the loss applies softmax itself.",
    )


def _flat(curve: Curve) -> bool:
    before, end = curve.part(0.7, 0.8).mean, curve.part(0.9, 1).mean
    return abs(before - end) < STOPPED * end


def non_finite(evidence: Evidence) -> Finding | None:
    """A value that is NaN or infinite: the first one, and where."""
    first = evidence.non_finite
    broken = [i for i, loss in enumerate(evidence.losses, start=1) if not math.isfinite(loss)]
    broken += [
        e.step for e in evidence.evaluations if e.train_loss is not None and not math.isfinite(e.train_loss)
    ]
    if first is None and not broken and not (evidence.data and evidence.data.not_finite):
        return None
    seen: list[str] = []
    if first is not None:
        seen.append(
            f"the first value that is not finite appears after {first.step} updates, in {first.where}"
        )
        if first.samples:
            shown = ", ".join(map(str, first.samples[:5]))
            seen.append(
                f"{counted(len(first.samples), 'sample')} of that batch showed it first (in the training set, number "
                f"{shown}{', …' if len(first.samples) > 5 else ''})"
            )
    elif broken:
        seen.append(f"the loss is not finite from step {broken[0]} on")
    finite = [loss for loss in evidence.losses if math.isfinite(loss)]
    if finite:
        seen.append(
            f"the last finite losses: {', '.join(number(loss) for loss in finite[-3:])} (up to step "
            f"{len(finite)})"
        )
    bad = evidence.data.not_finite if evidence.data else 0
    given = bool(bad) or (first is not None and first.where == "input")
    if bad:
        seen.append(f"{bad:,} input values are NaN or infinite themselves")
    return Finding(
        "non_finite",
        1.0,
        "Values are not finite (NaN or infinite)"
        + (f", first in {first.where} at step {first.step}." if first else "."),
        tuple(seen),
        "An overflow, a division by 0 or the logarithm of 0 gives infinity, and infinity less infinity is "
        "NaN. One such value makes all of them so within a step.",
        "Replace the inputs that are not finite, or correct what makes them so before the first layer."
        if given
        else "Find the operation named above; where the loss grew before, use a lower learning rate.",
        {"optimizer.lr": float(f"{evidence.setup.lr / 10:.6g}")} if evidence.setup.lr and not given else {},
    )
