"""Rules about the course of training near its end: on a plateau, or still getting better."""

from __future__ import annotations

import math

import numpy as np

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.readings import (
    epochs,
    evaluated,
    last_evaluation,
    learning_rate_left,
    number,
    percent,
    slope_of,
    standard_error,
    step_losses,
)

# The validation accuracy is flat where its median in the last 30 % of the run is no more than this (and two standard
# errors) above that of the 30 % before.
FLAT = 0.02
# How often the training loss, on the same samples each time, goes up between evaluations of the second half: never
# while it falls, every other time while it hovers.
HOVERS = 0.3
# A learning rate that ended below this share of its largest has been lowered.
LOWERED = 0.5
# Accuracies of training and validation further apart than this have another trouble.
APART = 0.1
# Above this training accuracy there is nothing left that a lower rate could win in training.
DONE = 0.97


def plateau(evidence: Evidence) -> Finding | None:
    """At a learning rate that never fell the loss hovers over its valley instead of reaching the floor."""
    curve, known = evaluated(evidence, "train_loss"), last_evaluation(evidence, "train_accuracy")
    accuracy = evaluated(evidence, "val_accuracy") or evaluated(evidence, "train_accuracy")
    if curve is None or accuracy is None or known is None or learning_rate_left(evidence) < LOWERED:
        return None
    before, end = accuracy.part(0.4, 0.7), accuracy.part(0.7, 1)
    if end.median - before.median > max(FLAT, 2 * standard_error(end.median, evidence)):
        return None
    later = curve.values[curve.values.size // 2 - 1 :]
    rises = int((np.diff(later) > 0).sum())
    if rises < HOVERS * (later.size - 1) or (known.train_accuracy or 0) > DONE or _gap(evidence) > APART:
        return None
    levels = curve.part(0.5, 1)
    return Finding(
        "plateau",
        0.7,
        "The loss has reached a plateau on which a lower learning rate would help.",
        (
            f"the accuracy is {percent(before.median)} at {before.steps} and {percent(end.median)} at "
            f"{end.steps} (medians)",
            f"the training loss, on the same samples each time, rises at {rises} of the last "
            f"{later.size - 1} evaluations, and hovers about {number(levels.median)} ({levels.steps})",
            f"the learning rate at the end is {percent(learning_rate_left(evidence))} of the largest",
        ),
        "Gradients of batches differ from the whole one, and the steps they cause are as long as the "
        "learning rate makes them. Near a minimum they undo each other: the loss hovers, the higher the "
        "longer they are.",
        "Let the learning rate fall to 0 along a cosine.",
        {"schedule.name": "cosine"},
    )


# What the second half of a run added to the validation accuracy, in points and in standard errors.
STILL_GAINS = 0.05
STANDARD_ERRORS = 3.0
# A run of fewer passes over the data than this has too few evaluations; the losses of its steps tell.
SHORT = 3.0
# Of the slope of its losses, which are few: so many standard errors.
SLOPE_ERRORS = 2.5
# How much the second half of a short run lowered the loss of its steps, as a share.
STILL_FALLS = 0.15
# A run whose learning rate ended below this share of its largest was planned to end there.
DECAYED = 0.2


def stopped_too_early(evidence: Evidence) -> Finding | None:
    """Training ended while accuracy was still rising, or before every sample was seen once."""
    if evidence.finished is False or learning_rate_left(evidence) < DECAYED:
        return None
    found = _still_rising(evidence) or _still_falling(evidence)
    if found is None:
        return None
    sure, seen = found
    done = epochs(evidence)
    return Finding(
        "stopped_too_early",
        sure,
        "Training was stopped too early: it was still getting better.",
        (
            seen,
            f"the learning rate at the end is {percent(learning_rate_left(evidence))} of the largest: it "
            "was not decayed to end there",
        ),
        "Accuracy rises about with the logarithm of time. What the second half of a run gave, as many "
        "steps again will about give once more.",
        "Train for three times as many epochs, or 10 at least"
        + (f": {number(max(3 * done, 10))}." if done else "."),
        {"training.epochs": max(round(3 * done), 10)} if done else {},
    )


def _still_rising(evidence: Evidence) -> tuple[float, str] | None:
    name = "val_accuracy" if evaluated(evidence, "val_accuracy", 1) else "train_accuracy"
    curve = evaluated(evidence, name, 3)
    if curve is None:
        return None
    end, middle = float(curve.values[-1]), float(np.interp(0.5, curve.progress, curve.values))
    gain, error = end - middle, standard_error(end, evidence)
    if gain < max(STILL_GAINS, STANDARD_ERRORS * error) or end < curve.values.max() - error:
        return None
    return 0.7, (
        f"the {_words(name)} rose by {number(100 * gain)} points in the second half of the run, from "
        f"{percent(middle)} to {percent(end)} at step {int(curve.steps[-1])}; its standard error is "
        f"{number(100 * error)} points"
    )


def _still_falling(evidence: Evidence) -> tuple[float, str] | None:
    """For runs of one or two passes, by the losses of their steps."""
    curve, done = step_losses(evidence), epochs(evidence)
    if curve is None or done is None or done >= SHORT:
        return None
    first, second = curve.part(0, 0.5), curve.part(0.5, 1)
    if done < 1 and first.mean - second.mean > STANDARD_ERRORS * math.hypot(first.error, second.error):
        return 0.85, (
            f"training ended after {percent(done)} of the first pass over the data, while the loss was "
            f"falling: it is {number(first.mean)} at {first.steps} and {number(second.mean)} at "
            f"{second.steps} (means)"
        )
    later = curve.progress > 0.5
    if later.sum() < 3:  # all at a learning rate of 0, or nearly
        return None
    slope, error = slope_of(curve.progress[later], curve.values[later])
    if -slope / 2 <= STILL_FALLS * second.mean or -slope <= SLOPE_ERRORS * error:  # both may be 0
        return None
    return 0.75, (
        f"the loss fell by {percent(-slope / 2 / second.mean)} in the second half of {number(done)} epochs "
        f"({second.steps}, {number(-slope / error)} standard errors of the slope)"
    )


def _gap(evidence: Evidence) -> float:
    known = last_evaluation(evidence, "train_accuracy", "val_accuracy")
    return (known.train_accuracy or 0) - (known.val_accuracy or 0) if known else 0.0


def _words(field: str) -> str:
    return {"val_accuracy": "validation accuracy", "train_accuracy": "training accuracy"}[field]
