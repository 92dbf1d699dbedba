"""Lines about the data: each a short function of DataFacts."""

from __future__ import annotations

import math

from plaingrad.insight.facts import DataFacts
from plaingrad.insight.preflight.report import Line
from plaingrad.insight.preflight.subject import Subject

# A value a hundred deviations from the mean is no brightness of an image, and is more often a code for
# "missing", such as -9999, than a measurement.
OUTLIER = 100
# Pixels at the edge of centred images never vary (9 % of MNIST's); half of all features is more than an edge.
MANY_CONSTANT = 0.5
# LeCun et al. 1998, "Efficient BackProp", section 4.3: inputs should average near 0, vary alike, and do so
# with a variance of about 1.  Images scaled to [0, 1] have means of up to two deviations, and train slower.
FAR_MEAN = 1.0
LARGE_STD, SMALL_STD = 10.0, 0.01
UNLIKE_SCALES = 100
# Samples of one distribution agree far better than this even if there are a few dozen only.
MEAN_APART, STD_APART = 0.5, 2.0
# With ten times as many samples of one class, guessing it is right so often that the others come late.
IMBALANCE = 10
# CIFAR-10's test set has some exact and near duplicates of training images (Barz & Denzler 2020,
# arXiv:1902.00423: 3.3 % near ones); exact ones above 1 % move the published accuracy in its first decimals.
MANY_IN_TEST = 0.01
MANY_TWICE = 0.1
# Shuffled labels pass three standard errors once in some 700 data sets.
SURE = 3.0

_NORMALIZING = {"batchnorm", "layernorm", "groupnorm"}


def values(subject: Subject) -> Line:
    """Whether all inputs are finite, and none lies absurdly far out."""
    facts, name = subject.facts, "values"
    numbers = {"low": facts.low, "high": facts.high, "not_finite": facts.not_finite}
    if facts.not_finite:
        return Line(
            name, "fail", f"{facts.not_finite:,} values are NaN or infinite",
            "remove the samples that hold them, or repair them: one is enough to make the loss NaN", numbers,
        )  # fmt: skip
    if facts.std == 0:
        return Line(
            name, "fail", f"all inputs are {facts.low:g}", "look at how the data is read: nothing varies", numbers
        )  # fmt: skip
    spread = f"inputs from {facts.low:.3g} to {facts.high:.3g}"
    farthest = max(facts.high - facts.mean, facts.mean - facts.low) / facts.std
    if farthest > OUTLIER:
        return Line(
            name, "warn", f"{spread}: the farthest is {farthest:.0f} standard deviations from the mean",
            "look for values that stand for something else, such as -9999 for missing ones", numbers,
        )  # fmt: skip
    return Line(name, "pass", spread, numbers=numbers)


def features(subject: Subject) -> Line:
    """How many features never vary: they tell nothing, and many of them point to a mistake in reading."""
    share = subject.facts.constant_features
    numbers = {"constant_features": share}
    if share == 0:
        return Line("features", "pass", "every feature varies", numbers=numbers)
    finding = f"{_percent(share)} of the features are the same in all training samples"
    if share == 1:
        return Line(
            "features", "fail", "no feature varies: all training samples are the same",
            "look at how the data is read", numbers,
        )  # fmt: skip
    if share > MANY_CONSTANT:
        return Line(
            "features", "warn", finding, "look whether images are cut, masked or read as they should be", numbers
        )  # fmt: skip
    return Line("features", "pass", finding, numbers=numbers)


def normalization(subject: Subject) -> Line:
    """Whether inputs average near 0, vary by about 1, and those to be tested are like those to train on."""
    facts, name = subject.facts, "normalization"
    finding = f"mean {facts.mean:.2g}, standard deviation {facts.std:.3g}"
    numbers = {
        "mean": facts.mean, "std": facts.std, "test_mean": facts.test_mean, "test_std": facts.test_std,
        "smallest_std": facts.smallest_std, "largest_std": facts.largest_std,
    }  # fmt: skip
    if facts.std == 0:
        return Line(name, "skipped", "nothing varies", numbers=numbers)
    if unlike := _unlike(facts):
        return Line(name, "warn", f"{finding}; {unlike}", "give all splits one scale", numbers)
    if abs(facts.mean) > FAR_MEAN * facts.std:
        return Line(
            name, "warn", f"{finding}: inputs are not centred",
            'subtract the mean, by data.normalize = "standard" or "channels"', numbers,
        )  # fmt: skip
    rows = len(subject.data.input_shape) == 1
    if rows and facts.largest_std > UNLIKE_SCALES * facts.smallest_std > 0:
        return Line(
            name, "warn",
            f"{finding}; single features vary by {facts.smallest_std:.2g} to {facts.largest_std:.2g}",
            "divide each feature by its own standard deviation", numbers,
        )  # fmt: skip
    if not SMALL_STD <= facts.std <= LARGE_STD and not _normalizes(subject):
        return Line(
            name, "warn", f"{finding}: that is not near 1, and no layer normalises it",
            'divide by it, by data.normalize = "standard" or "channels"', numbers,
        )  # fmt: skip
    return Line(name, "pass", finding, numbers=numbers)


def _unlike(facts: DataFacts) -> str:
    """How the test (else validation) inputs differ from the training inputs; "" if they do not."""
    if facts.test_mean is None or facts.test_std is None:
        return ""
    apart = abs(facts.test_mean - facts.mean) > MEAN_APART * facts.std
    ratio = facts.test_std / facts.std
    if not apart and 1 / STD_APART <= ratio <= STD_APART:
        return ""
    which = "test" if facts.test else "validation"
    return f"but the {which} inputs have mean {facts.test_mean:.2g}, standard deviation {facts.test_std:.3g}"


def _normalizes(subject: Subject) -> bool:
    """Whether a layer of the network brings numbers to one scale by itself."""
    network = subject.network
    return network is not None and any(
        layer.kind in _NORMALIZING for layer, _ in network.layers.leaves(network.input_shape)
    )


def classes(subject: Subject) -> Line:
    """Whether there are samples of every class, and not ten times as many of one as of another."""
    counts = subject.facts.class_counts
    most, least = max(counts), min(counts)
    finding = f"{len(counts)} classes with {least:,} to {most:,} training samples each"
    numbers = {"class_counts": counts}
    if least == 0:
        names = [subject.data.classes[i] for i, count in enumerate(counts) if not count]
        return Line(
            "classes", "warn", f"{len(names)} of {len(counts)} classes have no training sample: {_listed(names)}",
            "leave these classes out, or look at how the labels are read", numbers,
        )  # fmt: skip
    if most > IMBALANCE * least:
        return Line(
            "classes", "warn", finding,
            "look at the accuracy of each class, and draw rare classes more often", numbers,
        )  # fmt: skip
    return Line("classes", "pass", finding, numbers=numbers)


def duplicates(subject: Subject) -> Line:
    """How many samples of the test and validation sets are in the training set, value for value."""
    facts, name = subject.facts, "duplicates"
    found = {"test": facts.train_in_test, "validation": facts.train_in_validation}
    counts = {part: count for part, count in found.items() if count is not None}
    numbers = {"train_in_test": facts.train_in_test, "train_in_validation": facts.train_in_validation,
               "training_twice": facts.training_twice}  # fmt: skip
    sizes = {"test": facts.test, "validation": facts.validation}
    shared = [
        f"{count:,} of {sizes[part]:,} {part} samples are in the training set"
        for part, count in counts.items()
        if count
    ]
    twice = f"{facts.training_twice:,} training samples occur before" if facts.training_twice else ""
    if shared:
        many = any(count > MANY_IN_TEST * sizes[part] for part, count in counts.items())
        return Line(
            name, "fail" if many else "warn", "; ".join([*shared, *([twice] if twice else [])]),
            "take them out of the training set: accuracy on samples that were trained on says nothing", numbers,
        )  # fmt: skip
    if facts.training_twice > MANY_TWICE * facts.train:
        return Line(name, "warn", twice, "look whether files were read twice", numbers)
    none = f"none between training and {' or '.join(counts)}" if counts else "there is nothing held out"
    return Line(name, "pass", f"{none}; {twice or 'no training sample occurs twice'}", numbers=numbers)


def labels(subject: Subject) -> Line:
    """Whether labels belong to the samples, as far as the labels of nearest neighbours can tell."""
    facts, name = subject.facts, "labels"
    agreement, chance, error = facts.neighbour_agreement, facts.neighbour_chance, facts.neighbour_error
    numbers = {"neighbour_agreement": agreement, "neighbour_chance": chance, "neighbour_error": error,
               "test_neighbour_agreement": facts.test_neighbour_agreement}  # fmt: skip
    if agreement is None or chance is None or not error:
        return Line(
            name, "skipped", "there are too few samples or classes to compare neighbours", numbers=numbers
        )
    finding = (
        f"{_percent(agreement)} have the label of their nearest neighbour; "
        f"shuffled labels give {_percent(chance)} ± {_percent(error)}"
    )
    if agreement < chance + SURE * error:
        return Line(
            name, "warn", finding,
            "look at some images beside their labels: these may be shuffled. If they are right, neighbours in "
            "pixels are no guide here", numbers,
        )  # fmt: skip
    held_out = facts.test_neighbour_agreement
    if held_out is not None:
        which, count = ("test", facts.test) if facts.test else ("validation", facts.validation)
        # That of shuffled labels, and of as many samples as there are: neighbours are asked for 500 at most.
        unsure = max(error, math.sqrt(chance * (1 - chance) / count))
        if held_out < chance + SURE * unsure and held_out < agreement - 2 * SURE * unsure:
            return Line(
                name, "fail", f"{finding}; of the {which} samples {_percent(held_out)} have",
                f"look at some {which} images beside their labels: these look shuffled", numbers,
            )  # fmt: skip
    return Line(name, "pass", finding, numbers=numbers)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
