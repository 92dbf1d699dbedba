"""Rules about the learning rate and the length of training."""

from __future__ import annotations

import math

import numpy as np

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.course import plateau
from plaingrad.insight.doctor.rules.readings import (
    Curve,
    chance,
    class_count,
    cross_entropy,
    epochs,
    evaluated,
    initial_loss,
    last_evaluation,
    number,
    percent,
    step_losses,
    training_loss,
    update_budget,
    update_ratios,
)

# How far all updates of a run together could have moved the weights, as a share of their size, had each gone the
# same way.  Runs that learn have a budget of 0.25 and more, in 50 steps or 50,000; with less than a twelfth of the
# weights' size a network remains about what it was at the start.
SMALL_BUDGET = 0.08
MEAGRE_BUDGET = 0.15
AMPLE_BUDGET = 0.25
# The fall of the loss from the middle of the run to its end over that from its start to the middle, each the mean
# of a tenth: 1 for a straight line, 0.26 for a loss that falls with the logarithm of time, as those of well-tuned
# runs nearly do.
NEARLY_LINEAR = 0.4
# A run that has brought its loss below this share of what it began with is learning; with a meagre budget it may
# have come further and still be slow.
LEARNED = 0.55
LEARNED_SLOWLY = 0.3
# A line alone, without the size of updates, does not accuse a run whose accuracy is so far above chance: some begin
# with a flat stretch and fall later, which is as straight.
WELL_ABOVE_CHANCE = 0.3
# A loss so far above ln C, in nats, that changes by no more than this share: any gradient would lower it.
ABOVE_CHANCE = 0.3
UNMOVED = 0.05
# A network that was trained before begins below this share of ln C; small steps are right for it.
BEGAN_WELL = 0.5
# Before so many updates, or three passes over the data, a loss that still falls says that
# training is young.
FEWEST_UPDATES = 50
FEWEST_EPOCHS = 3.0


def learning_rate_too_low(evidence: Evidence) -> Finding | None:
    """Steps are small beside the way to go: by their size, or by a loss that falls slowly and nearly linearly."""
    curve = training_loss(evidence)
    if (epochs(evidence) or math.inf) < FEWEST_EPOCHS or curve is None or curve.values.min() < 0:
        return None
    budget = update_budget(evidence)
    meagre = budget is not None and budget[0] < MEAGRE_BUDGET
    begun, end = curve.part(0, 0.02), curve.part(0.95, 1)
    learned = LEARNED_SLOWLY if meagre else LEARNED
    if 0 < len(evidence.losses) < FEWEST_UPDATES or begun.mean < BEGAN_WELL * math.log(
        class_count(evidence) or 1
    ):
        return None
    if not learned * begun.mean < end.mean <= 1.02 * begun.mean or not _still_improving(evidence):
        return None
    line = None
    if budget is None or budget[0] < AMPLE_BUDGET:
        line = _nearly_a_line(evidence, curve) or _unmoved_above_chance(evidence, curve)
    if not meagre and line is None:
        return None
    seen = [line] if line else []
    if budget is not None:
        seen.append(
            f"all {curve.steps[-1]} updates together could have moved the weights by {percent(budget[0])} "
            f"of their size at most: one changes them by {number(budget[1])} of it (median of {budget[2]} "
            "looks)"
        )
    known = last_evaluation(evidence, "train_accuracy")
    if known:
        seen.append(
            f"the loss went from {number(begun.mean)} to {number(end.mean)}, and the training accuracy is "
            f"{percent(known.train_accuracy or 0)} at step {known.step}"
        )
    lr = evidence.setup.lr
    return Finding(
        "learning_rate_too_low",
        0.9 if budget is not None and budget[0] < SMALL_BUDGET else 0.75 if line else 0.65,
        "The learning rate is too low: the loss falls slowly and nearly in a straight line.",
        tuple(seen),
        "With small steps the loss changes by about its slope times the step, again and again: a straight "
        "line. At a good rate it falls fast at first and then bends.",
        "Use a learning rate 10 times as large" + (f": {number(10 * lr)}." if lr else "."),
        {"optimizer.lr": _rounded(10 * lr)} if lr else {},
    )


def _nearly_a_line(evidence: Evidence, curve: Curve) -> str | None:
    """How the fall of the loss in the second half compares with that in the first, if it is nearly as large."""
    if curve.steps.size > len(evidence.evaluations) and evidence.setup.reg:
        return None  # the losses of steps hold the L2 penalty, which falls by itself
    known, guess = last_evaluation(evidence, "train_accuracy"), chance(evidence)
    above = (known.train_accuracy or 0.0) - guess if known and guess else 0.0
    if above > WELL_ABOVE_CHANCE and update_budget(evidence) is None:
        return None
    start, middle, end = curve.part(0, 0.1), curve.part(0.45, 0.55), curve.part(0.9, 1)
    first, second = start.mean - middle.mean, middle.mean - end.mean
    if first <= 0 or second < max(2 * math.hypot(middle.error, end.error), NEARLY_LINEAR * first):
        return None
    return (
        f"the training loss fell by {number(first)} in the first half of the run ({number(start.mean)} at "
        f"{start.steps}, {number(middle.mean)} at {middle.steps}) and by {number(second)} in the second "
        f"({number(end.mean)} at {end.steps}): {number(second / first)} times as much, 1 being a straight "
        "line"
    )


def _unmoved_above_chance(evidence: Evidence, curve: Curve) -> str | None:
    """Whether the loss stays where it began, though equal scores for all classes would do better."""
    classes, start, end = class_count(evidence), curve.part(0, 0.1), curve.part(0.9, 1)
    if classes is None or not cross_entropy(evidence) or evidence.setup.reg or evidence.setup.dropout:
        return None
    if end.mean < math.log(classes) + ABOVE_CHANCE or abs(start.mean - end.mean) > UNMOVED * start.mean:
        return None
    return (
        f"the loss is {number(start.mean)} at {start.steps} and {number(end.mean)} at {end.steps} (means), though "
        f"equal scores for all classes would make it ln {classes} = {number(math.log(classes))}"
    )


# Losses of several steps in a row above this many times the first loss: no longer noise of batches.
DIVERGED = 1.5
# And by so much, in nats: a first loss near 0 must not turn a small rise into a large factor.
RISE = 1.0
# The size of an update beside the weights: about 10⁻³ is usual; at 0.3 weights are replaced, not changed.
REPLACED = 0.3


def learning_rate_too_high(evidence: Evidence) -> Finding | None:
    """The loss rises far above where it began, or jumps up and down, or stays at chance after a jump."""
    found = (
        _diverged(evidence) or _stuck_after_a_jump(evidence) or _replaced(evidence) or _oscillates(evidence)
    )
    if found is None:
        return None
    sure, what, seen = found
    sizes = [(step, size) for step, size in update_ratios(evidence) if size > REPLACED]
    if sizes:
        step, size = max(sizes, key=lambda pair: pair[1])
        seen = (
            *seen,
            f"an update changes weights by {number(size)} of their size (step {step}); 0.001 is usual",
        )
    lr = evidence.setup.lr
    return Finding(
        "learning_rate_too_high",
        sure,
        f"The learning rate is too high: {what}.",
        seen,
        "A step goes along the slope at one place. Where it reaches past the valley, the loss is higher on "
        "the other side, the slope is steeper there, and the next step is longer still.",
        "Use a learning rate 10 times as small" + (f": {number(lr / 10)}." if lr else "."),
        {"optimizer.lr": _rounded(lr / 10)} if lr else {},
    )


def _diverged(evidence: Evidence) -> tuple[float, str, tuple[str, ...]] | None:
    begun = initial_loss(evidence)
    curve = step_losses(evidence) or evaluated(evidence, "train_loss", 3)
    if curve is not None and begun is None:
        begun = float(curve.values[0])
    if begun is None or begun <= 0 or (curve is not None and curve.values.min() < 0):
        return None
    limit = max(DIVERGED * begun, begun + RISE)
    if curve is not None:
        windows = curve.windows()
        worst = max(windows, key=lambda part: part.median)
        if worst.median > limit:
            seen = (
                f"the loss is {number(begun)} at the start and {number(worst.median)} at {worst.steps} "
                "(median)",
                f"it is {number(windows[-1].median)} at the end ({windows[-1].steps})",
            )
            return (0.95 if windows[-1].median > limit else 0.85), "the loss rises above where it began", seen
    finite = [loss for loss in evidence.losses if math.isfinite(loss)]
    stopped = evidence.non_finite or len(finite) < len(evidence.losses)
    if stopped and finite and max(finite) > limit:
        at = finite.index(max(finite)) + 1
        seen = (
            f"the loss is {number(begun)} at step 1 and {number(max(finite))} at step {at}",
            f"it is not finite after step {len(finite)}",
        )
        return 0.9, "the loss grows until it is not finite", seen
    return None


# An accuracy no further than this above chance: nothing was learned.
NEAR_CHANCE = 0.05


def _stuck_after_a_jump(evidence: Evidence) -> tuple[float, str, tuple[str, ...]] | None:
    """Chance accuracy to the end, after a first loss that was exceeded by far early on."""
    known, classes, guess = (
        last_evaluation(evidence, "train_accuracy"),
        class_count(evidence),
        chance(evidence),
    )
    curve, begun = step_losses(evidence), initial_loss(evidence)
    if known is None or guess is None or classes is None or curve is None or begun is None:
        return None
    accuracy = known.train_accuracy or 0.0
    early = curve.values[: max(10, curve.values.size // 10)]
    jump = float(early.max())
    if accuracy > guess + NEAR_CHANCE or jump < max(DIVERGED * begun, begun + RISE) or curve.values.min() < 0:
        return None
    at = int(curve.steps[int(early.argmax())])
    return (
        0.8,
        "after a jump of the loss nothing is learned",
        (
            f"the loss jumps from {number(begun)} at step 1 to {number(jump)} at step {at}",
            f"the training accuracy is {percent(accuracy)} at step {known.step}, {percent(guess)} being "
            "chance",
        ),
    )


# A run that ends with fewer training samples right than this has not recovered from such first steps.
RECOVERED = 0.75


def _replaced(evidence: Evidence) -> tuple[float, str, tuple[str, ...]] | None:
    """The first updates were as large as the weights, and the run did not recover from them."""
    known = last_evaluation(evidence, "train_accuracy")
    early = [(step, size) for step, size in update_ratios(evidence) if step <= 10 and size > REPLACED]
    if not early or known is None or (known.train_accuracy or 0) > RECOVERED:
        return None
    return (
        0.75,
        "the first updates replace the weights instead of improving them",
        (f"the training accuracy is {percent(known.train_accuracy or 0)} at step {known.step}",),
    )


# A rise of the training loss from one evaluation to the next on the same samples, as a share of it.
BOUNCE = 0.2
# How many of the evaluations' changes must be such rises.
BOUNCES = 0.25
# Next to a loss of 0, or with all samples right, jumps are jumps of next to nothing.
NEXT_TO_NOTHING = 0.05
ALL_RIGHT = 0.99


def _oscillates(evidence: Evidence) -> tuple[float, str, tuple[str, ...]] | None:
    """The training loss, evaluated on the same samples each time, keeps jumping up."""
    curve = evaluated(evidence, "train_loss", 6)
    if curve is None or curve.values.min() <= 0:
        return None
    if plateau(evidence) is not None:  # the rate was good until the loss had fallen
        return None
    later = curve.values[curve.values.size // 4 :]
    rises = later[1:] / later[:-1] - 1
    count = int((rises > BOUNCE).sum())
    known = last_evaluation(evidence, "train_accuracy")
    if (
        count < max(2, BOUNCES * rises.size)
        or np.median(later) < NEXT_TO_NOTHING
        or (known and (known.train_accuracy or 0) > ALL_RIGHT)
    ):
        return None
    at = int(curve.steps[curve.values.size - rises.size + int(rises.argmax())])
    return (
        0.7,
        "the loss jumps up and down",
        (
            f"the training loss, on the same samples each time, rises by more than {percent(BOUNCE)} at "
            f"{count} of {rises.size} evaluations, the most at step {at} (by {percent(float(rises.max()))})",
        ),
    )


def _still_improving(evidence: Evidence) -> bool:
    """Whether the validation loss (or accuracy) still gets better at the end; True where it is not known."""
    losses, accuracies = evaluated(evidence, "val_loss", 3), evaluated(evidence, "val_accuracy", 3)
    if losses is not None:
        return losses.part(0.9, 1).mean < losses.part(0.4, 0.6).mean
    if accuracies is not None:
        return accuracies.part(0.9, 1).mean >= accuracies.values.max() - 0.02
    return True


def _rounded(rate: float) -> float:
    """Without the noise of floating point: 0.001 · 10 is 0.01."""
    return float(f"{rate:.6g}")
