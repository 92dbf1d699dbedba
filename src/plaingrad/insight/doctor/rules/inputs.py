"""Rules about what samples are: how inputs are scaled, and which samples are where."""

from __future__ import annotations

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.readings import (
    last_evaluation,
    number,
)
from plaingrad.insight.facts import DataFacts

# He's and Xavier's scales are derived for inputs of unit size.  Bytes have a standard deviation of 60 to 110,
# pixels from 0 to 1 of 0.2 to 0.4, which still works.
LARGE_INPUT = 10.0
SMALL_INPUT = 0.02
# |mean| over standard deviation: 2 at most for pixels from 0 to 1.
FAR_FROM_ZERO = 5.0
# Bytes as they are lie at their mean of about half the range; less than this, and they were centred.
CENTRED = 0.3
# Runs that end with fewer training samples right than this have suffered.
FAILED = 0.5
# Samples of one source, normalised alike, differ by a few percent of a standard deviation.
SHIFTED = 0.5
SCALED = 1.5


def unnormalized_input(evidence: Evidence) -> Finding | None:
    """Inputs far from unit size, far from zero, or normalised otherwise in the test set than in training."""
    data = evidence.data
    broken = evidence.non_finite is not None and evidence.non_finite.where == "input"
    if (
        data is None or data.not_finite or broken
    ):  # then means and deviations are not those of what was trained on
        return None
    found = _normalised_differently(data) or _far_from_unit(data, evidence)
    if found is None:
        return None
    sure, what, seen = found
    return Finding(
        "unnormalized_input",
        sure,
        what,
        (
            f"the training inputs have mean {number(data.mean)} and standard deviation {number(data.std)}, "
            f"and lie between {number(data.low)} and {number(data.high)}",
            *seen,
        ),
        "The gradient of a weight is proportional to its input. Inputs of very different size, or all of "
        "one sign, make a valley that is steep in one direction and flat in another; one learning rate "
        "cannot suit both.",
        "Normalise all splits alike, by the mean and standard deviation of the training set.",
        {"data.normalize": "standard"},
    )


_Found = tuple[float, str, tuple[str, ...]]


def _normalised_differently(data: DataFacts) -> _Found | None:
    if data.test_mean is None or data.test_std is None or not data.std:
        return None
    shift, scale = abs(data.test_mean - data.mean) / data.std, data.test_std / data.std
    if shift < SHIFTED and 1 / SCALED < scale < SCALED:
        return None
    return (
        0.95,
        "Test data is normalised otherwise than training data.",
        (
            f"the test (or validation) inputs have mean {number(data.test_mean)} and standard deviation "
            f"{number(data.test_std)}",
        ),
    )


def _far_from_unit(data: DataFacts, evidence: Evidence) -> _Found | None:
    if not data.std:
        return None
    off = abs(data.mean) / data.std
    large = data.std > LARGE_INPUT
    if large and off < CENTRED:  # centred bytes may train well, from small weights above all; the run tells
        look, known = (
            evidence.looks[0] if evidence.looks else None,
            last_evaluation(evidence, "train_accuracy"),
        )
        failed = known is None or (known.train_accuracy or 0.0) < FAILED
        if look is None or look.scores is None or look.scores.std < LARGE_INPUT or not failed:
            return None
        seen = (
            f"the first scores have a standard deviation of {number(look.scores.std)}, where 1.4 is usual",
        )
        return 0.8, "The inputs are centred but not scaled: far larger than 1.", seen
    if large:
        return 0.9, "The inputs are not normalised: they are far larger than 1.", ()
    if data.std < SMALL_INPUT:
        return 0.85, "The inputs are far smaller than 1, as if they had been scaled twice.", ()
    if off > FAR_FROM_ZERO:
        return (
            0.85,
            "The inputs are far from zero: what they share is much larger than what tells them apart.",
            (),
        )
    return None


# Exact copies occur by accident: CIFAR-10 has a handful among 10,000.
COPIES = 0.01
FEWEST_COPIES = 3


def test_data_in_training(evidence: Evidence) -> Finding | None:
    """Samples that are to measure the network are also among those that it trains on."""
    data = evidence.data
    if data is None:
        return None
    parts = (
        ("test", data.train_in_test, data.test),
        ("validation", data.train_in_validation, data.validation),
    )
    shared = [
        (name, count, total)
        for name, count, total in parts
        if count and total and count >= max(FEWEST_COPIES, COPIES * total)
    ]
    if not shared:
        return None
    return Finding(
        "test_data_in_training",
        1.0,
        "Samples of the " + " and ".join(name for name, _, _ in shared) + " set are in the training set.",
        tuple(
            f"{count:,} of the {total:,} {name} samples are also training samples, value for value"
            for name, count, total in shared
        ),
        "What a network was trained on it may know by heart. Its accuracy there says nothing about new "
        "samples.",
        "Remove these samples from the training set, and measure again.",
    )
