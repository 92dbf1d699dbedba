"""Rules about the distance between training and validation, and about networks that cannot learn more."""

from __future__ import annotations

import math

import numpy as np

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.readings import (
    class_count,
    counted,
    evaluated,
    last_evaluation,
    number,
    percent,
    standard_error,
    step_losses,
)
from plaingrad.insight.doctor.rules.signal import weight_facts

# How far the validation loss is above its lowest, as a share: evaluations of a healthy run differ by a few percent.
RISEN = 0.2
# And by so much in nats, since a share of a loss near 0 is nothing.
RISEN_BY = 0.05
# Accuracies so far apart, if the validation loss was never better: CIFAR-10's healthy runs end 0.05 to 0.1 apart.
LARGE_GAP = 0.15
# With all training samples right, this is far: what is left to learn cannot close it.
GAP_WHEN_DONE = 0.1
ALL_RIGHT = 0.99
# A validation loss this near its lowest, as a share, got no worse: more training does no harm yet, unless nearly
# all training samples are right and what is left to learn of them holds for no others.
AT_ITS_BEST = 0.1
# A training accuracy that may be called learning by heart.
BY_HEART = 0.9
# And by so many standard errors of the validation accuracy.
GAP_ERRORS = 4.0
# A gap below this is none: a network that cannot store samples does equally well on others.
NO_GAP = 0.05


def overfitting(evidence: Evidence) -> Finding | None:
    """The validation loss got worse while the training loss got better; or the accuracies are far apart."""
    known = last_evaluation(evidence, "train_accuracy", "val_accuracy")
    train, val = (known.train_accuracy or 0.0, known.val_accuracy or 0.0) if known else (0.0, 0.0)
    error = standard_error(val, evidence)
    large = GAP_WHEN_DONE if train > ALL_RIGHT else LARGE_GAP
    apart = train - val > max(large, GAP_ERRORS * error)
    worse = _got_worse(evidence)
    if not apart and worse is None:
        return None
    sure, seen = worse or (0.0, [])
    if apart:
        sure = max(sure, 0.45 if train < BY_HEART and _at_its_best(evidence) else 0.75)
    elif known and train - val < NO_GAP:
        sure = 0.4  # surer answers, but not worse ones
    if known:
        seen.append(
            f"at step {known.step} the training accuracy is {percent(train)}, the validation accuracy "
            f"{percent(val)} (± {number(100 * error)} points)"
        )
    if evidence.data and evidence.setup.parameters:
        seen.append(
            f"there are {evidence.setup.parameters:,} parameters for {evidence.data.train:,} training samples"
        )
    reg, decay = evidence.setup.reg or 0.0, evidence.setup.weight_decay or 0.0
    remedy = {"optimizer.weight_decay": 10 * decay} if decay else {"network.reg": 10 * reg if reg else 1e-3}
    name, value = next(iter(remedy.items()))
    return Finding(
        "overfitting",
        sure,
        "The network overfits: it learns its training samples by heart."
        if train > BY_HEART
        else "The network overfits: much of what it learns holds for its training samples alone.",
        tuple(seen),
        "With enough parameters a network can store what is peculiar to single samples. That lowers the "
        "training loss, and makes it surer of answers that do not hold for other samples.",
        f"Regularise more ({name} = {number(value)}); more data, or augmentation, would help most.",
        remedy,
    )


def _at_its_best(evidence: Evidence) -> bool:
    """Whether the validation loss is known and ends about where it was lowest."""
    losses = evaluated(evidence, "val_loss", 4)
    return losses is not None and losses.part(0.85, 1).median <= (1 + AT_ITS_BEST) * losses.values.min()


def _got_worse(evidence: Evidence) -> tuple[float, list[str]] | None:
    """Whether the validation loss rose since it was lowest, while the training loss fell."""
    losses, trained = evaluated(evidence, "val_loss", 4), evaluated(evidence, "train_loss", 4)
    if losses is None or losses.values.min() <= 0:
        return None
    best, end = int(losses.values.argmin()), losses.part(0.85, 1)
    lowest, at = float(losses.values[best]), int(losses.steps[best])
    if best >= losses.steps.size - 2 or end.median < max((1 + RISEN) * lowest, lowest + RISEN_BY):
        return None
    seen = [
        f"the validation loss is lowest at step {at} ({number(lowest)}) and {number(end.median)} at the end "
        f"({end.steps})"
    ]
    if trained is not None:
        before, after = float(np.interp(at, trained.steps, trained.values)), trained.part(0.85, 1).median
        if after > before:
            return None
        seen.append(f"the training loss fell meanwhile from {number(before)} to {number(after)}")
    return 0.9 if end.median > (1 + 2 * RISEN) * lowest else 0.7, seen


# A hidden layer of fewer units than this share of the classes cannot tell them apart but by sharing units.
NARROW = 0.5
# Training accuracy above which nobody would call a network too small.
FITS = 0.9
# And below which it does not matter that what little was learned does not all carry over.
NEARLY_FITS = 0.7


def too_little_capacity(evidence: Evidence) -> Finding | None:
    """The training accuracy itself stays low, validation keeps up with it, and a layer is narrow."""
    known = last_evaluation(evidence, "train_accuracy")
    if known is None or (known.train_accuracy or 0) > FITS:
        return None
    accuracy = known.train_accuracy or 0.0
    gap = 0.0 if known.val_accuracy is None else accuracy - known.val_accuracy
    if accuracy > NEARLY_FITS and gap > NO_GAP + 2 * standard_error(accuracy, evidence):
        return None
    narrow = _narrowest(evidence)
    flat = _flat(evidence)
    if narrow is None or (not flat and accuracy > NEARLY_FITS):
        return None
    units, name = narrow
    classes = class_count(evidence) or 0
    seen = [
        f"the training accuracy is {percent(accuracy)} at step {known.step}"
        + (
            f", the validation accuracy {percent(known.val_accuracy)}"
            if known.val_accuracy is not None
            else ""
        ),
        f"{name} has {counted(units, 'unit')} for {classes} classes",
    ]
    if flat:
        seen.append(flat)
    return Finding(
        "too_little_capacity",
        0.85,
        "The network is too small for the task: it cannot even fit the samples that it trains on.",
        tuple(seen),
        "What passes through a narrow layer is that many numbers per sample. Too few to keep the classes "
        "apart, and no training can bring back what was lost there.",
        "Make the hidden layers wider: several times as many units as there are classes.",
    )


def _narrowest(evidence: Evidence) -> tuple[int, str] | None:
    """The narrowest hidden layer, if it has too few units for the classes."""
    classes = class_count(evidence)
    if not evidence.looks or classes is None:
        return None
    look = evidence.looks[0]
    hidden = [(f.units, f.name) for f in look.layers if f.kind in ("affine", "conv")][:-1]
    if not look.layers:  # a bias has as many elements as its layer has units
        sizes = [(p.size, p.name) for p in look.parameters]
        last = sizes[-1:] and sizes[-1]
        hidden = [
            (size, name)
            for size, name in sizes
            if name.lower().rsplit(".", 1)[-1].startswith("b") and (size, name) != last
        ]
    narrow = [pair for pair in hidden if pair[0] <= NARROW * classes]
    return min(narrow) if narrow else None


def _flat(evidence: Evidence) -> str | None:
    curve = step_losses(evidence)
    if curve is None:
        return None
    middle, end = curve.part(0.5, 0.75), curve.part(0.75, 1)
    if end.mean < 0.93 * middle.mean:
        return None
    return (
        f"the loss is {number(middle.mean)} at {middle.steps} and {number(end.mean)} at {end.steps} (means)"
    )


# What L2 or weight decay has left of the weights' norm: next to nothing,
VANISHED = 0.1
# or little, with the penalty still as large a share of the loss: healthy runs keep a half.
SHRUNK = 0.3
PENALTY = 0.2
# At this rate a unit is there in one of five steps.
HEAVY_DROPOUT = 0.8
# A training accuracy that was so much higher before.
UNLEARNED = 0.05


def too_much_regularization(evidence: Evidence) -> Finding | None:
    """The training accuracy is low, and a penalty, decay or dropout is what holds it down."""
    known = last_evaluation(evidence, "train_accuracy")
    if known is None or (known.train_accuracy or 0) > 0.95:
        return None
    accuracy = known.train_accuracy or 0.0
    if known.val_accuracy is not None and accuracy - known.val_accuracy > NO_GAP + 2 * standard_error(
        accuracy, evidence
    ):
        return None
    held = _shrunk(evidence) or _dropped(evidence)
    if held is None:
        return None
    what, seen, change, remedy = held
    best = max((e.train_accuracy or 0.0, e.step) for e in evidence.evaluations)
    tail = f"the training accuracy is only {percent(accuracy)} at step {known.step}"
    if best[0] - accuracy > UNLEARNED:
        tail += f", after {percent(best[0])} at step {best[1]}"
    if known.val_accuracy is not None:
        tail += f"; the validation accuracy is {percent(known.val_accuracy)}"
    return Finding(
        "too_much_regularization",
        0.85,
        f"There is too much regularisation: {what}.",
        (*seen, tail),
        "Regularisation trades fit for simplicity. Where even the training samples are not fitted, there "
        "is nothing to trade: the network is held back.",
        change,
        remedy,
    )


_Held = tuple[str, tuple[str, ...], str, dict[str, float]]


def _shrunk(evidence: Evidence) -> _Held | None:
    """L2 or weight decay: the weights have lost most of their size."""
    reg, decay = evidence.setup.reg or 0.0, evidence.setup.weight_decay or 0.0
    if not (reg or decay) or len(evidence.looks) < 2:
        return None
    first, last = evidence.looks[0], evidence.looks[-1]
    before, after = (math.sqrt(sum(p.norm**2 for p in weight_facts(look))) for look in (first, last))
    penalty = 0.5 * reg * after**2
    told = last.scores is not None and penalty > PENALTY * (penalty + last.scores.loss)
    if not before > 0 or not after < (SHRUNK if told else VANISHED) * before:
        return None
    seen = [
        f"the norm of the weights is {number(before)} at step {first.step} and {number(after)} at step "
        f"{last.step}"
    ]
    if last.scores is not None:
        seen.append(
            f"the loss is {number(last.scores.loss)} without and {number(last.scores.loss + penalty)} with "
            f"the penalty at step {last.step}"
        )
    name, word, value = (
        ("network.reg", "an L2 strength", reg) if reg else ("optimizer.weight_decay", "a weight decay", decay)
    )
    return (
        f"{word} of {number(value)} shrinks the weights",
        tuple(seen),
        f"Use {word} a hundred times smaller: {number(value / 100)}.",
        {name: float(f"{value / 100:.6g}")},
    )


def _dropped(evidence: Evidence) -> _Held | None:
    rate = evidence.setup.dropout
    if rate is None or rate < HEAVY_DROPOUT:
        return None
    return (
        f"dropout takes away {percent(rate)} of the units",
        (f"the dropout rate is {number(rate)}",),
        "Use a dropout rate of 0.3.",
        {"network.dropout": 0.3},
    )
