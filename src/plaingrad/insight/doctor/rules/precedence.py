"""Which of several findings matters: causes come before what they cause, and speak for it.

CAUSES lists the conditions from the first cause to the last consequence.  A finding is *explained* by one that is
more likely than not and whose condition names it in EXPLAINS: it is then left out, and told among the evidence
of its cause.  What remains is ordered: findings that are more likely than not first, and among these by
their place in CAUSES.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from plaingrad.insight.doctor.diagnosis import Finding

# From cause to consequence: the code, then the data, then settings, then what became of the signal, then outcomes.
CAUSES = (
    "gradients_not_reset",
    "loss_not_averaged",
    "nll_of_raw_scores",
    "softmax_twice",
    "batchnorm_in_training_mode",
    "dropout_at_evaluation",
    "test_data_in_training",
    "unnormalized_input",
    "no_shuffling",
    "batch_too_small_for_batchnorm",
    "class_imbalance",
    "misaligned_labels",
    "label_noise",
    "bad_initial_scale",
    "exploding_gradients",
    "too_much_regularization",
    "learning_rate_too_high",
    "dead_relus",
    "saturated_units",
    "vanishing_gradients",
    "frozen_layers",
    "learning_rate_too_low",
    "too_little_capacity",
    "class_never_predicted",
    "non_finite",
    "overfitting",
    "plateau",
    "stopped_too_early",
)

_COURSE = ("plateau", "stopped_too_early")  # what the course of the losses alone suggests
_SLOW = ("learning_rate_too_low", "too_little_capacity", *_COURSE)
_WILD = ("learning_rate_too_high", "exploding_gradients", "dead_relus", "class_never_predicted", *_COURSE)

EXPLAINS: dict[str, tuple[str, ...]] = {
    # The gradient grows with every step: as with momentum without friction.
    "gradients_not_reset": ("loss_not_averaged", "overfitting", "too_little_capacity", *_WILD),
    # The same as a learning rate as many times too high as a batch has samples.
    "loss_not_averaged": ("bad_initial_scale", "learning_rate_too_low", "too_little_capacity", *_WILD),
    # The loss has no lower bound; scores and weights grow until numbers overflow.
    "nll_of_raw_scores": ("overfitting", "learning_rate_too_low", "too_little_capacity", *_WILD),
    # The loss has a floor, and gradients fade near it.
    "softmax_twice": ("vanishing_gradients", "class_never_predicted", *_SLOW),
    # Evaluations are made with a network that is not the one trained.
    "batchnorm_in_training_mode": ("learning_rate_too_high", "overfitting", "label_noise", *_COURSE),
    "dropout_at_evaluation": ("learning_rate_too_high", "too_much_regularization", "too_little_capacity", *_COURSE),
    # Gradients are in proportion to inputs; data normalised otherwise is unknown country.
    "unnormalized_input": (
        "bad_initial_scale", "overfitting", "misaligned_labels", "label_noise",
        "learning_rate_too_low", "vanishing_gradients", "too_little_capacity", *_WILD,
    ),
    # What is learned does not carry over, so training and validation part: it looks like overfitting.
    "misaligned_labels": ("overfitting", "label_noise", "class_never_predicted", *_SLOW),
    "label_noise": ("overfitting", "too_little_capacity", "learning_rate_too_high", *_COURSE),
    # Copies of test samples have the labels of their neighbours, so these agree better than training samples do.
    "test_data_in_training": ("label_noise",),
    # Each epoch pulls the network to the classes it sees last: it looks like oscillation.
    "no_shuffling": ("learning_rate_too_high", "class_never_predicted", "overfitting", "label_noise",
                     "too_little_capacity", *_COURSE),
    "class_imbalance": ("misaligned_labels", "class_never_predicted", "overfitting", "label_noise", *_COURSE),
    "batch_too_small_for_batchnorm": ("learning_rate_too_high", "too_little_capacity", "label_noise", *_COURSE),
    "frozen_layers": ("too_little_capacity", *_COURSE),
    # Signals that fade or grow from layer to layer.
    "bad_initial_scale": ("dead_relus", "frozen_layers", "learning_rate_too_high", "overfitting",
                          "class_never_predicted", *_SLOW),
    "vanishing_gradients": ("frozen_layers", "class_never_predicted", *_SLOW),
    "exploding_gradients": ("learning_rate_too_high", "overfitting", *_COURSE),
    "saturated_units": ("vanishing_gradients", "frozen_layers", "overfitting", *_SLOW),
    "dead_relus": ("frozen_layers", "vanishing_gradients", "class_never_predicted", *_SLOW),
    # Steps that are too long throw units below zero, and the loss up and down.
    "learning_rate_too_high": ("dead_relus", "class_never_predicted", "overfitting", "too_little_capacity", *_COURSE),
    "learning_rate_too_low": ("too_little_capacity", "class_never_predicted", *_COURSE),
    "too_much_regularization": ("dead_relus", "frozen_layers", "vanishing_gradients", "learning_rate_too_high",
                                "class_never_predicted", *_SLOW),
    "too_little_capacity": ("class_never_predicted", *_COURSE),
    "class_never_predicted": ("overfitting",),
    "non_finite": ("overfitting", *_COURSE),
    "overfitting": _COURSE,
    "plateau": ("stopped_too_early",),
}  # fmt: skip

LIKELY = 0.5  # more likely than not: only such findings explain others


def settle(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What remains of findings, most important first; each cause tells what it explains."""
    order = sorted(findings, key=lambda f: CAUSES.index(f.condition))
    kept: list[Finding] = []
    explained: dict[str, list[Finding]] = {}
    for finding in order:
        cause = next((k for k in kept if _explains(k, finding)), None)
        if cause is None:
            kept.append(finding)
        else:
            explained.setdefault(cause.condition, []).append(finding)
    told = [_telling(finding, explained.get(finding.condition, [])) for finding in kept]
    return tuple(sorted(told, key=lambda f: f.sure < LIKELY))


def _explains(cause: Finding, finding: Finding) -> bool:
    return cause.sure >= LIKELY and finding.condition in EXPLAINS.get(cause.condition, ())


def _telling(finding: Finding, explained: list[Finding]) -> Finding:
    if not explained:
        return finding
    also = "; ".join(other.what.rstrip(".") for other in explained)
    return replace(finding, evidence=(*finding.evidence, f"this explains what else is seen: {also}"))
