"""Rules about mistakes in a model's or loop's own code, most of them proved by a probe."""

from __future__ import annotations

import math

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence, Look
from plaingrad.insight.doctor.rules.readings import (
    class_count,
    cross_entropy,
    initial_loss,
    number,
)

# Scores of one sample, computed twice: they differ by 10⁻⁶ of their standard deviation by rounding, by a tenth and
# more by dropout or a batch's statistics.
ROUNDING = 1e-3


def dropout_at_evaluation(evidence: Evidence) -> Finding | None:
    """Evaluating the same batch twice gives different scores: something is still drawn at random."""
    probes = evidence.probes
    if probes is None:
        return None
    repeat, company = probes.repeat or 0.0, probes.company or 0.0
    dropped = bool(evidence.setup.dropout) and evidence.setup.batchnorm is False and company > ROUNDING
    if repeat < ROUNDING and not dropped:
        return None
    seen = (
        f"the scores of one batch, evaluated twice, differ by up to {number(repeat)} of their standard "
        "deviation"
    )
    if repeat < ROUNDING:
        seen = (
            f"the scores of a sample differ by up to {number(company)} of their standard deviation with its "
            "place in a batch"
        )
    return Finding(
        "dropout_at_evaluation",
        0.95 if dropped else 1.0 if evidence.setup.dropout != 0 else 0.8,
        "Dropout is left on at evaluation: scores depend on chance.",
        (seen,),
        "Dropout is there to make training harder. Evaluation needs all units, or it measures a network at "
        "random out of many, each worse than the whole.",
        "Drop units only where labels are given: no mask in evaluation (and scale by 1 / (1 − rate) in "
        "training).",
    )


def batchnorm_in_training_mode(evidence: Evidence) -> Finding | None:
    """A sample's scores depend on which others are evaluated with it."""
    probes = evidence.probes
    if probes is None or probes.company is None or probes.company < ROUNDING:
        return None
    if (probes.repeat or 0.0) > ROUNDING or (evidence.setup.batchnorm is False and evidence.setup.dropout):
        return None
    seen = [
        f"the scores of samples differ by up to {number(probes.company)} of their standard deviation with "
        "the other samples of the batch; evaluated twice in the same batch they are equal"
    ]
    if probes.changed_by_evaluation:
        seen.append("evaluating changes the running statistics")
    return Finding(
        "batchnorm_in_training_mode",
        0.8 if evidence.setup.batchnorm is False else 1.0,
        "Batch normalisation is left in training mode at evaluation.",
        tuple(seen),
        "In training a batch is normalised by its own mean and variance. In evaluation a sample's answer "
        "must not depend on its company, which is what the running mean and variance are for.",
        "Use the running mean and variance where no labels are given, and update them in training only.",
    )


# Between one sum and the next; the L2 part of a loss does not double, so a little less is a sum too.
DOUBLED = 1.5
# With so many units dropped, two gradients of one batch differ by chance as much as one and two of them.
NOISY_DROPOUT = 0.8
# A first loss that is the batch size times ln C, to within this share.
CLOSE = 0.35
# From a multiple like this on the first loss looks like a sum; smaller ones also come from large first scores.
SUMMED = 15.0


def loss_not_averaged(evidence: Evidence) -> Finding | None:
    """The loss, or its gradient, is a sum over the batch and not a mean."""
    probes, size = evidence.probes, evidence.setup.batch_size
    what = ""
    sure, seen = 0.0, ""
    if probes is not None and probes.doubled_loss is not None:
        if (evidence.setup.dropout or 0.0) >= NOISY_DROPOUT:
            return None
        again = (probes.second_gradient or 1.0) > DOUBLED
        if probes.doubled_loss > DOUBLED and (probes.doubled_gradient or 2.0) > DOUBLED:
            what, sure = "the loss", 1.0
            seen = (
                f"a batch with every sample twice has {number(probes.doubled_loss)} times the loss of the "
                "batch; a mean would be the same"
            )
        elif (probes.doubled_gradient or 1.0) > DOUBLED and not again:
            what, sure = "the gradient", 1.0
            seen = (
                f"a batch with every sample twice has {number(probes.doubled_gradient or 0)} times the "
                "gradient of the batch, though the loss is the same"
            )
    else:
        begun, classes = initial_loss(evidence), class_count(evidence)
        if begun is None or classes is None or classes < 2 or not cross_entropy(evidence):
            return None
        ratio = begun / math.log(classes)
        if size and size > 4 and abs(ratio / size - 1) < CLOSE:
            what, sure = "the loss", 0.9
            seen = (
                f"the loss is {number(begun)} at step 1: {number(ratio)} times ln {classes}, and batches "
                f"have {size} samples"
            )
        elif not size and ratio > SUMMED and _steady_start(evidence):
            what, sure = "the loss", 0.45
            seen = (
                f"the loss is {number(begun)} at step 1: {number(ratio)} times ln {classes}, as a sum over "
                "that many samples would be"
            )
    if not sure:
        return None
    lr = evidence.setup.lr
    return Finding(
        "loss_not_averaged",
        sure,
        f"There is no mean over the batch: {what} is a sum.",
        (seen,),
        "A sum over B samples makes the gradient B times as long, so the learning rate is in truth B times "
        "the one that was set"
        + (f" ({number(lr * size)} for batches of {size})" if lr and size else "")
        + ", and changes with "
        "the batch size.",
        "Divide the loss and its gradient by the number of samples in the batch.",
    )


def _steady_start(evidence: Evidence) -> bool:
    """Whether the first losses are of one size: those of weights that are too large vary by their own size."""
    first = evidence.losses[:5]
    return len(first) == 5 and min(first) > 0.3 * max(first)


def gradients_not_reset(evidence: Evidence) -> Finding | None:
    """Asked twice for the same gradient, the model gives more the second time."""
    probes = evidence.probes
    if probes is None or probes.second_gradient is None or probes.second_gradient < DOUBLED:
        return None
    if (evidence.setup.dropout or 0.0) >= NOISY_DROPOUT:
        return None
    return Finding(
        "gradients_not_reset",
        1.0,
        "Gradients are not reset: each call adds to those before.",
        (
            "asked a second time on the same batch and weights, the gradient is "
            f"{number(probes.second_gradient)} times as long",
        ),
        "A gradient that is the sum of all before acts like momentum without friction: steps grow longer "
        "and longer, and the loss swings ever wider or diverges.",
        "Set gradients to 0 at the start of each backward pass (or write = where += stands).",
    )


# An update that is less than this share of a parameter's norm is none: single precision keeps 10⁻⁷.
UNMOVED = 1e-9


def frozen_layers(evidence: Evidence) -> Finding | None:
    """Some parameters are never changed, though others are."""
    looks = [look for look in evidence.looks if look.step > 0 and any(p.update > 0 for p in look.parameters)]
    if not looks:
        return None
    # One look where the rate has fallen to nothing is no evidence; a norm that is the first one's to the end is.
    begun = {p.name: p.norm for p in evidence.looks[0].parameters}
    still = [
        p
        for p in looks[-1].parameters
        if all(_unmoved(look, p.name) for look in looks)
        and abs(p.norm - begun.get(p.name, p.norm)) <= UNMOVED * p.norm
    ]
    if not still:
        return None
    names = [p.name for p in still]
    reached = [p.name for p in still if p.gradient > 0]
    on_purpose = set(names) <= set(evidence.setup.frozen)
    seen = [
        f"{', '.join(names)} did not change in any of the {len(looks)} updates looked at, steps "
        f"{looks[0].step} to {looks[-1].step}"
    ]
    if reached:
        seen.append(
            f"the gradient of {reached[0]} is {number(still[names.index(reached[0])].gradient)}: it is "
            "there, but no update follows"
        )
    else:
        seen.append("their gradients are exactly 0: nothing comes back to them")
    if on_purpose:
        seen.append("their learning rate is set to 0")
    return Finding(
        "frozen_layers",
        0.5 if on_purpose else 0.95,
        f"Parameters are frozen: {', '.join(names)} never change.",
        tuple(seen),
        "A parameter changes only if its gradient is computed, handed over under its name, and used by the "
        "update. Without, the layer stays as random as it began.",
        "Check that backward computes these gradients and returns them under the parameters' names, and "
        "that no learning-rate factor is 0.",
        {"training.lr_factors": {}} if on_purpose else {},
    )


def _unmoved(look: Look, name: str) -> bool:
    fact = next((p for p in look.parameters if p.name == name), None)
    return fact is not None and fact.update <= UNMOVED * fact.norm
