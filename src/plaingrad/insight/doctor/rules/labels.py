"""Rules about labels: wrong, misplaced, missing, unevenly many."""

from __future__ import annotations

import numpy as np

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.readings import (
    chance,
    class_count,
    class_name,
    last_evaluation,
    number,
    percent,
    standard_error,
)

# A network does not know samples that it has not seen better than those it trains on.  Where it seems to, by so
# many points and standard errors of both accuracies, its training labels are wrong.
BETTER_ON_UNSEEN = 0.05
ERRORS_BETTER = 4.0
# The nearest neighbours' agreement within the training set over that of test samples with it: 1 for clean labels,
# 1 − p if a share p of the training labels is wrong (both labels of a pair may be, instead of one).
AGREEMENT_LOST = 0.88
ERRORS_LOST = 3.5


def label_noise(evidence: Evidence) -> Finding | None:
    """Training labels agree with their neighbours, or with the network, less than those held out do."""
    data = evidence.data
    seen: list[str] = []
    share = None
    known = [e for e in evidence.evaluations if e.train_accuracy is not None and e.val_accuracy is not None]
    late = known[-max(1, len(known) // 2) :]
    if late:
        train = float(np.median([e.train_accuracy or 0.0 for e in late]))
        val = float(np.median([e.val_accuracy or 0.0 for e in late]))
        error = 1.5 * standard_error(
            val, evidence
        )  # of the difference: the training accuracy has an error too
        if val - train > max(BETTER_ON_UNSEEN, ERRORS_BETTER * error):
            share = 1 - train / val
            seen.append(
                f"the validation accuracy is {percent(val)}, above the training accuracy of "
                f"{percent(train)} (medians of steps {late[0].step} to {late[-1].step}; "
                f"{number((val - train) / error)} standard errors apart)"
            )
    if data and data.neighbour_agreement and data.test_neighbour_agreement and data.neighbour_error:
        own, held_out = data.neighbour_agreement, data.test_neighbour_agreement
        apart = (held_out - own) / (1.5 * data.neighbour_error)
        if own < AGREEMENT_LOST * held_out and apart > ERRORS_LOST:
            share = 1 - own / held_out
            seen.append(
                f"{percent(own)} of the training samples have their nearest neighbour's label, but "
                f"{percent(held_out)} of the test samples do ({number(apart)} standard errors apart)"
            )
    if share is None:
        return None
    return Finding(
        "label_noise",
        0.95 if len(seen) == 2 else 0.85,
        f"Training labels are wrong: about {percent(share)} of them.",
        tuple(seen),
        "A network learns what is common first, and that is right. Wrong labels then look to it like "
        "mistakes of its own: its training accuracy is low, until it stores them one by one, which costs "
        "it on other samples.",
        "Look at the training samples with the largest loss, and correct their labels; meanwhile smooth "
        "labels.",
        {"network.label_smoothing": 0.1},
    )


# Labels that agree with their neighbours' no more than so many standard errors above chance.
ERRORS_OF_CHANCE = 3.0
# A training accuracy so far above chance has been learned.
LEARNED = 0.15
# And a validation accuracy so far above it was learned from labels that fit.
CARRIES_OVER = 0.1


def misaligned_labels(evidence: Evidence) -> Finding | None:
    """Labels have nothing to do with images: not by neighbours, and what is learned does not carry over."""
    data, guess = evidence.data, chance(evidence)
    seen: list[str] = []
    where = "training"
    if (
        data
        and data.neighbour_agreement is not None
        and data.neighbour_chance is not None
        and data.neighbour_error
    ):
        above = (data.neighbour_agreement - data.neighbour_chance) / data.neighbour_error
        if above < ERRORS_OF_CHANCE:
            seen.append(
                f"{percent(data.neighbour_agreement)} of the training samples have their nearest "
                f"neighbour's label; shuffled labels give {percent(data.neighbour_chance)} ± "
                f"{percent(data.neighbour_error)}"
            )
        elif (
            data.test_neighbour_agreement is not None
            and data.test_neighbour_agreement < data.neighbour_chance + 3 * data.neighbour_error
        ):
            where = "test"
            seen.append(
                f"{percent(data.test_neighbour_agreement)} of the test samples have the label of their "
                f"nearest neighbour in the training set, though {percent(data.neighbour_agreement)} of the "
                "training samples do"
            )
    aligned = data is not None and data.neighbour_agreement is not None and not seen
    known = last_evaluation(evidence, "train_accuracy", "val_accuracy")
    if known is not None and guess is not None:
        train, val = known.train_accuracy or 0.0, known.val_accuracy or 0.0
        there = 1 / (class_count(evidence) or 1 / guess)  # validation may be balanced where training is not
        error = standard_error(there, evidence)
        if seen and where == "training" and val > there + CARRIES_OVER:
            return (
                None  # what is learned holds for other samples: labels are noisy, or neighbours tell little
            )
        if train > guess + LEARNED and val < there + ERRORS_OF_CHANCE * error:
            seen.append(
                f"at step {known.step} the training accuracy is {percent(train)} and the validation "
                f"accuracy {percent(val)}, which is chance ({percent(there)} ± {number(100 * error)} points)"
            )
            where = where if len(seen) > 1 else "validation" if aligned else "training (or validation)"
    if not seen:
        return None
    return Finding(
        "misaligned_labels",
        0.95 if len(seen) == 2 else 0.4 if aligned else 0.85,
        f"Labels do not belong to the images, in the {where} data.",
        tuple(seen),
        "Two arrays that were shuffled, filtered or sorted apart no longer fit each other. A network can "
        "learn such labels by heart, but there is nothing in them that holds for other samples.",
        "Look at a few images with their labels, and find where images and labels part: one permutation "
        "for both.",
    )


# Each class must be expected among the samples measured this often, so that none at all is no accident.
EXPECTED = 10
# With more classes than this share missing it is the network that has collapsed, not a class.
COLLAPSED = 0.5


def class_never_predicted(evidence: Evidence) -> Finding | None:
    """A class is given to no sample at all, though there are samples of it."""
    counted = [e for e in evidence.evaluations if e.predicted]
    if not counted:
        return None
    last = counted[-1]
    predicted = last.predicted or ()
    classes, samples = len(predicted), sum(predicted)
    measured = {c for c, accuracy in enumerate(last.per_class or ()) if accuracy is not None}
    never = [c for c, count in enumerate(predicted) if not count and (c in measured or not measured)]
    if not never or samples < EXPECTED * classes or len(never) > COLLAPSED * classes:
        return None
    if len(counted) < 2 and samples < 5 * EXPECTED * classes:
        return None
    names = ", ".join(class_name(evidence, c) for c in never)
    since = last.step
    for e in reversed(counted):
        if any((e.predicted or ())[c] for c in never):
            break
        since = e.step
    if since == last.step and len(counted) > 1:
        return None  # of one evaluation alone it is a wobble
    seen = [
        f"of {samples} samples at step {last.step} none was given class {names}; nor at any evaluation "
        f"since step {since}"
    ]
    counts = evidence.data.class_counts if evidence.data else ()
    absent = [c for c in never if counts and not counts[c]]
    if counts:
        seen.append(
            f"the training set has {', '.join(str(counts[c]) for c in never)} samples of it, {max(counts)} "
            "of the commonest"
        )
    return Finding(
        "class_never_predicted",
        0.95 if absent else 0.8,
        f"Class {names} is never predicted.",
        tuple(seen),
        "A class without training samples cannot be learned."
        if absent
        else "A class that is rare, mislabelled, or given a bias far below the others' never has the "
        "highest score.",
        "Look at the training samples of this class: are there enough, and are their labels right?",
    )


# Of the commonest class, how many times as many samples as of the rarest.  From about 10 on accuracies of rare
# classes suffer clearly (Buda, Maki & Mazurowski 2018); below 4 hardly.
IMBALANCED = 4.0
STRONGLY_IMBALANCED = 10.0


def class_imbalance(evidence: Evidence) -> Finding | None:
    """Some classes have many times as many training samples as others."""
    counts = evidence.data.class_counts if evidence.data else ()
    if len(counts) < 2 or not sum(counts):
        return None
    rarest = min(
        (c for c in range(len(counts)) if counts[c]), key=lambda c: counts[c]
    )  # a class without samples is
    commonest = int(np.argmax(counts))  # another matter: it is never predicted
    ratio = counts[commonest] / counts[rarest]
    if ratio < IMBALANCED:
        return None
    seen = [
        f"class {class_name(evidence, commonest)} has {counts[commonest]} training samples, class "
        f"{class_name(evidence, rarest)} has {counts[rarest]}: {number(ratio)} times as many"
    ]
    known = last_evaluation(evidence, "per_class")
    if known is not None and known.per_class and len(known.per_class) == len(counts):
        common, rare = known.per_class[commonest], known.per_class[rarest]
        if common is not None and rare is not None:  # there were samples of both to measure
            seen.append(
                f"at step {known.step} the accuracy is {percent(common)} for the one and {percent(rare)} for "
                "the other"
            )
    return Finding(
        "class_imbalance",
        0.9 if ratio >= STRONGLY_IMBALANCED else 0.7,
        "The classes are imbalanced.",
        tuple(seen),
        "The loss is a mean over samples, so a class counts as much as it has samples. Where in doubt, "
        "giving the commonest class costs least.",
        "Repeat samples of the rare classes until all occur equally often, and judge by the accuracy of "
        "each class.",
    )
