"""The rule about the size of the first weights."""

from __future__ import annotations

import math

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence, Look
from plaingrad.insight.doctor.rules.readings import class_count, cross_entropy, number
from plaingrad.insight.doctor.rules.signal import ACTIVATIONS, weight_gains

# Scores at the start: He's scale gives them a standard deviation of about √2. Five times that is another scale.
LARGE_SCORES = 7.0
# And so small that no sample differs from another: the features of the last hidden layer carry next to nothing.
SMALL_SIGNAL = 1e-2
# A first loss so far above ln C, in nats.  He's scale gives 1, up to 4 for inputs with outliers or with an L2
# penalty; ten are scores ten times too large, or inputs.
LOSS_ABOVE = 10.0
# √(fan-in) times the weights' standard deviation: √2 at He's scale, 1 at Xavier's, 0.6 for PyTorch's default.
# By itself neither is a fault; it tells weights from inputs as the cause of scores that are.
SMALL_GAIN = 0.7
LARGE_GAIN = 2.2
# A loss within this share of ln C is the one of equal scores.
AT_CHANCE = 0.01


def bad_initial_scale(evidence: Evidence) -> Finding | None:
    """The first scores are far too large, or so small that learning does not set in."""
    return _too_large(evidence) or _too_small(evidence)


def _too_large(evidence: Evidence) -> Finding | None:
    classes = class_count(evidence)
    begun = evidence.losses[0] if evidence.losses else None
    look = evidence.looks[0] if evidence.looks and evidence.looks[0].step == 0 else None
    seen: list[str] = []
    sure = 0.0
    gains = weight_gains(look) if look is not None else []
    if gains and max(gain for _, gain in gains) < LARGE_GAIN:
        return None
    if look is not None and look.scores is not None and look.scores.std > LARGE_SCORES:
        seen.append(
            f"the scores have a standard deviation of {number(look.scores.std)} at step 0, where He's scale "
            "gives 1.4"
        )
        if look.layers:
            seen.append("outputs at step 0: " + _course(look))
        if gains:
            seen.append(_gains_in_words(gains))
        sure = 0.9
    data_loss = look.scores.loss if look is not None and look.scores is not None else begun
    seen_at_all = look is None or look.scores is None or sure  # where scores were seen, they tell better
    if (
        cross_entropy(evidence)
        and classes
        and data_loss is not None
        and math.isfinite(data_loss)
        and seen_at_all
    ):
        undecided = math.log(classes)
        if data_loss > undecided + LOSS_ABOVE:
            seen.append(
                f"the loss is {number(data_loss)} before the first update; undecided, it is ln {classes} = "
                f"{number(undecided)}"
            )
            sure = max(sure, 0.6)
    if not sure:
        return None
    return _scale(sure, "The initial weights are too large.", seen)


def _too_small(evidence: Evidence) -> Finding | None:
    """Outputs that fade from layer to layer, and a loss that stays where it was."""
    if not evidence.looks or evidence.looks[0].step != 0:
        return None
    look = evidence.looks[0]
    gains = weight_gains(look)
    if (
        look.scores is None
        or look.scores.std > SMALL_SIGNAL
        or look.scores.probabilities
        or not _stays(evidence)
    ):
        return None
    if not gains or min(gain for _, gain in gains) > SMALL_GAIN:
        return None
    seen = [
        f"the scores have a standard deviation of {number(look.scores.std)} at step 0, where He's scale "
        "gives 1.4"
    ]
    if look.layers:
        seen.append("outputs at step 0: " + _course(look))
    else:
        seen.append(_gains_in_words(gains))
    later = early_after(evidence)
    seen.append(
        f"the loss is {number(look.scores.loss)} at step 0 and "
        f"{number(later.scores.loss if later.scores else later.loss)} at step {later.step}"
    )
    return _scale(0.85, "The initial weights are too small.", seen)


def _gains_in_words(gains: list[tuple[str, float]]) -> str:
    shown = ", ".join(f"{name} {number(gain)}" for name, gain in gains)
    return f"√(fan-in) times the weights' standard deviation at step 0, √2 being He's: {shown}"


def early_after(evidence: Evidence) -> Look:
    """The look at the end of the first epoch, or the nearest before it."""
    limit = evidence.setup.steps_per_epoch or 100
    return [look for look in evidence.looks if look.step <= max(limit, 20)][-1]


def _stays(evidence: Evidence) -> bool:
    """Whether the first epoch left the loss where it was."""
    first, later = evidence.looks[0], early_after(evidence)
    if first.scores is None or later.scores is None or later.step == 0:
        return False
    return later.scores.loss > (1 - AT_CHANCE) * first.scores.loss


def _course(look: Look) -> str:
    shown = [f for f in look.layers if f.kind in ACTIVATIONS or f is look.layers[-1]]
    return ", ".join(f"{f.name} {number(f.std)}" for f in shown) + " (standard deviations)"


def _scale(sure: float, what: str, seen: list[str]) -> Finding:
    return Finding(
        "bad_initial_scale",
        sure,
        what,
        tuple(seen),
        "Each layer multiplies the size of its input by √(fan-in) times its weights' standard deviation. "
        "Only at He's scale, √(2 / fan-in) for ReLU, do signals and gradients keep their size from layer "
        "to layer.",
        "Draw the initial weights at He's scale (Xavier's for tanh and sigmoid).",
        {"network.init": "he"},
    )
