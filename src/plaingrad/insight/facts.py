"""Facts: what was measured of data, layers, parameters and scores, as plain numbers that JSON can hold.

The pre-flight and the doctor judge by facts alone, so that every judgement can be repeated by hand.  A fact
that could not be measured is None.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFacts:
    """What a data set looks like to a network: its inputs as batches hold them, after normalisation.

    class_counts: training samples of each class.  mean, std, low, high: of the training inputs (of a
    sample of 2,000 if there are more).  smallest_std, largest_std: of single features, the constant ones left out;
    constant_features: the share of features that do not vary; not_finite: values that are NaN or infinite.
    offset: the largest |mean| of a feature, in units of the whole input's standard deviation.
    train_in_test, train_in_validation: samples of the test (validation) set that are also in the training
    set, value for value; training_twice: training samples that occurred before.
    neighbour_agreement: how often a training sample has the label of its nearest neighbour among the others
    in a sample of the training set; `neighbour_chance` is what shuffled labels give on average, and
    `neighbour_error` the standard deviation of that, so that the agreement of shuffled labels is rarely more
    than three of them away.  test_neighbour_agreement: how often a test (else
    validation) sample has the label of its nearest neighbour in the training sample.
    test_mean, test_std: of the test (else validation) inputs, as they are normalised.
    """

    name: str
    train: int
    validation: int
    test: int
    class_counts: tuple[int, ...]
    mean: float
    std: float
    low: float
    high: float
    smallest_std: float
    largest_std: float
    constant_features: float
    not_finite: int
    offset: float
    train_in_test: int | None
    train_in_validation: int | None
    training_twice: int
    neighbour_agreement: float | None
    neighbour_chance: float | None
    neighbour_error: float | None
    test_neighbour_agreement: float | None
    test_mean: float | None
    test_std: float | None


@dataclass(frozen=True)
class LayerFacts:
    """What a layer's output looks like on one batch, in training mode.

    kind: the class of the layer in lower case, such as "relu", "affine", "batchnorm".  mean, std: of all
    outputs.  zero: the share of outputs that are exactly 0.  dead: the share of units (features, or
    channels of images) that are 0 for the whole batch; units: how many there are.  saturated: the share of
    outputs within 0.01 of a bound of the activation (sigmoid, tanh), None for other layers.
    gradient: the root mean square of the loss's gradient with respect to these outputs, times the batch
    size, None where it was not measured.  finite: whether all outputs are; mean and std are of those.
    """

    name: str
    kind: str
    mean: float
    std: float
    zero: float
    dead: float
    units: int
    saturated: float | None
    gradient: float | None
    finite: bool


@dataclass(frozen=True)
class ParameterFacts:
    """Norms (Euclidean) of a parameter, of its gradient and of the last update; std: of its elements.

    Before the first update `update` is 0.
    """

    name: str
    size: int
    norm: float
    std: float
    gradient: float
    update: float


@dataclass(frozen=True)
class ScoreFacts:
    """What scores (N, C) look like, in evaluation mode, on a fixed batch of training samples.

    low, high, std: of all scores.  loss: mean softmax cross-entropy of the scores taken as logits.
    nll: mean of −scores[label], what negative log-likelihood makes of them.  probabilities: whether all are
    in [0, 1] and rows sum to 1; log_probabilities: whether their exponentials do.  spread: the standard
    deviation over samples, averaged over classes, divided by `std`: 0 if every sample gets the same scores.
    confidence: the mean largest softmax probability.  predicted: how often each class has the highest score.
    accuracy: the share of samples that are right.
    """

    low: float
    high: float
    std: float
    loss: float
    nll: float
    probabilities: bool
    log_probabilities: bool
    spread: float
    confidence: float
    predicted: tuple[int, ...]
    accuracy: float
