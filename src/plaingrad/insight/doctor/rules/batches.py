"""Rules about how batches are made up: in which order, and of how many samples."""

from __future__ import annotations

import numpy as np

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.readings import number, percent, step_losses

# A mean over B samples has an error of 1/√B standard deviations: a half for 4.  Wu & He (2018) measured the error
# of ResNet-50 to grow below 16 samples and to be 10 points worse at 2.
TINY_BATCH = 4


def batch_too_small_for_batchnorm(evidence: Evidence) -> Finding | None:
    """Batch normalisation takes mean and variance of a handful of samples."""
    setup = evidence.setup
    if setup.batch_size is None:
        return None
    parts = setup.accumulate or 1
    samples = max(1, setup.batch_size // parts)
    if samples > TINY_BATCH:
        return None
    scaled = [p.name for look in evidence.looks[:1] for p in look.parameters if "gamma" in p.name.lower()]
    if not setup.batchnorm and (setup.batchnorm is False or not scaled):
        return None
    parted = "" if parts == 1 else f", for those of {setup.batch_size} go through in {parts} parts"
    seen = [
        f"batches have {samples} samples{parted}: their mean has an error of {samples**-0.5:.2f} standard deviations"
    ]
    if not setup.batchnorm:
        seen.append(f"parameters such as {scaled[0]} are those of a normalisation")
    return Finding(
        "batch_too_small_for_batchnorm",
        0.9 if setup.batchnorm else 0.7,
        f"Batches of {samples} are too small for batch normalisation.",
        tuple(seen),
        "What a batch is normalised by is mostly the accident of its few samples. Training sees that "
        "noise, evaluation uses running averages instead, and the two no longer agree.",
        f"Use batches of {32 * parts}, or layer normalisation, which needs no batch.",
        {"training.batch_size": 32 * parts},
    )


# Neighbours within a batch whose indices follow one another: of batches drawn at random about 1 in N.
IN_ORDER = 0.5
# The commonest label's share of a batch over what random batches would have.
ONE_SIDED = 1.5
# How much the losses of one epoch's steps, freed of their trend, resemble those of the next: 0 ± 1/√n if shuffled.
REPEATS = 0.5
REPEATS_ERRORS = 5.0


def no_shuffling(evidence: Evidence) -> Finding | None:
    """Batches are made in the order of the data, or are the same ones in each epoch."""
    order, sure, seen = evidence.order, 0.0, []
    if order is not None:
        if order.consecutive > IN_ORDER:
            sure = 1.0
            seen.append(
                f"{percent(order.consecutive)} of the neighbours in a batch are neighbours in the data set "
                "too"
            )
        if order.same_each_epoch and (evidence.setup.steps_per_epoch or 2) > 1:
            sure = 1.0
            seen.append("the batches of the second epoch are those of the first")
        if order.largest_share > ONE_SIDED * order.expected_share:
            sure = max(sure, 0.9)
            seen.append(
                f"the commonest label has {percent(order.largest_share)} of a batch, where batches drawn at "
                f"random would have {percent(order.expected_share)}"
            )
    else:
        alike = _likeness_of_epochs(evidence)
        if alike is not None and alike[0] > max(REPEATS, REPEATS_ERRORS / np.sqrt(alike[1])):
            sure = 0.85
            seen.append(
                "the losses of an epoch's steps go up and down as those of the epoch before: their "
                f"correlation is {number(alike[0])} over {alike[1]} steps, 0 being usual"
            )
    if not sure:
        return None
    return Finding(
        "no_shuffling",
        sure,
        "The training samples are not shuffled.",
        tuple(seen),
        "A batch stands for all samples only if it is drawn from all. Batches of neighbours pull the "
        "network to and fro, and what it learned last it knows best.",
        "Draw the samples of each epoch in a new random order.",
        {"training.sampling": "shuffle"},
    )


def _likeness_of_epochs(evidence: Evidence) -> tuple[float, int] | None:
    """The correlation of losses one epoch apart, their trend taken away, and over how many steps."""
    curve, period = step_losses(evidence), evidence.setup.steps_per_epoch
    if period is None and evidence.evaluations and evidence.evaluations[0].epoch:
        period = round(evidence.evaluations[0].step / evidence.evaluations[0].epoch)
    if curve is None or period is None or period < 8 or curve.values.size < 4 * period:
        return None
    epochs = curve.values[: curve.values.size // period * period].reshape(-1, period)[1:]
    width = min(9, period // 2)
    kernel = np.ones(width) / width
    flat = np.log(np.maximum(epochs.ravel(), 1e-8))
    rest = (flat - np.convolve(flat, kernel, mode="same")).reshape(epochs.shape)
    a, b = rest[:-1].ravel(), rest[1:].ravel()
    return (float(np.corrcoef(a, b)[0, 1]), a.size) if a.std() and b.std() else None
