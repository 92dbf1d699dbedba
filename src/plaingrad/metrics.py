"""How good are scores?  Accuracy, confusion, calibration: pure functions on NumPy arrays.

Scores (N, C) may be logits, log-probabilities or probabilities: only their order counts, except where the
argument is called `probabilities`.  Labels y (N,) are class numbers.  All raise ShapeError or DataError for
arrays that do not belong together, hold NaN, or are empty.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from plaingrad.errors import DataError, RecipeError, ShapeError, require_count

Array = np.ndarray

BINS = 15  # of confidence, as in most published calibration errors


def accuracy(scores: Array, y: Array) -> float:
    """The share of samples whose highest score is that of their class; of equal scores, the first counts."""
    return top_k_accuracy(scores, y, 1)


def top_k_accuracy(scores: Array, y: Array, k: int) -> float:
    """The share of samples whose class is among the `k` highest scores.

    Of classes with equal scores the one with the lower number is the higher, as for `argmax`, so that k = 1
    is the accuracy and exactly k classes are among the k highest.  Raises RecipeError unless 1 ≤ k ≤ C.
    """
    _check_scores("scores", scores, y)
    classes = scores.shape[1]
    require_count("k of the top-k accuracy", k, 1)
    if k > classes:
        raise RecipeError(
            f"k of the top-k accuracy must be at most {classes}, the number of classes, got {k}"
        )
    own = scores[np.arange(len(y)), y][:, None]
    tied_before = (scores == own) & (np.arange(classes) < y[:, None])
    rank = ((scores > own) | tied_before).sum(axis=1)
    return float((rank < k).mean())


def confusion_matrix(y: Array, predicted: Array, classes: int) -> Array:
    """How many samples of each class were taken for which: int64 (C, C), rows true, columns predicted.

    Matrices of batches add up to that of all samples; the diagonal is what was right.
    """
    require_count("the number of classes", classes, 1)
    _check_classes("y", y, classes)
    _check_classes("predicted", predicted, classes)
    if y.shape != predicted.shape:
        raise ShapeError(f"y and predicted must have one length, got {y.shape} and {predicted.shape}")
    cells = y.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).astype(np.int64).reshape(classes, classes)


def per_class_accuracy(confusion: Array) -> Array:
    """The accuracy on the samples of each class, float64 (C,); NaN for a class without samples."""
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ShapeError(f"a confusion matrix has shape (C, C), got {confusion.shape}")
    samples = confusion.sum(axis=1)
    return np.where(samples > 0, confusion.diagonal() / np.maximum(samples, 1), np.nan)


def expected_calibration_error(probabilities: Array, y: Array, bins: int = BINS) -> float:
    """How far confidence is from accuracy, on average: Σₘ |Bₘ|/N · |acc(Bₘ) − conf(Bₘ)|, from 0 to 1.

    A sample's confidence is its highest probability.  Bₘ are the samples whose confidence lies in
    ((m − 1)/M, m/M], for M `bins` of equal width.  Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    return calibration_error(calibration_bins(probabilities, y, bins))


def calibration_bins(probabilities: Array, y: Array, bins: int = BINS) -> Array:
    """Samples, right answers and sum of confidences in each bin of confidence: float64 (bins, 3).

    Bins of batches add up to those of all samples.  They are those of `expected_calibration_error`.
    """
    _check_scores("probabilities", probabilities, y)
    require_count("bins", bins, 1)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if probabilities.min() < 0 or (np.abs(sums - 1) > 1e-3).any():
        raise DataError(
            "probabilities must be 0 or more and each row must sum to 1, "
            f"got a minimum of {probabilities.min():.4g} and sums from {sums.min():.4g} to {sums.max():.4g}: "
            "apply softmax to scores first"
        )
    return confidence_bins(probabilities.max(axis=1), probabilities.argmax(axis=1) == y, bins)


def confidence_bins(confidence: Array, right: Array, bins: int = BINS) -> Array:
    """The same of what is known without probabilities: each sample's confidence (N,), and whether it is right."""
    confidence = confidence.astype(np.float64)
    edges = np.arange(bins + 1) / bins
    # side="left" puts a confidence that is an edge into the bin below it: (lo, hi].  Rounding may exceed 1, and
    # a confidence of 0, which no softmax gives but stands for scores that are not finite, is in the first bin.
    bin_of = np.searchsorted(edges, confidence, side="left").clip(1, bins) - 1
    columns = (None, right, confidence)
    return np.stack([np.bincount(bin_of, weights, minlength=bins) for weights in columns], axis=1)


def calibration_error(counted: Array) -> float:
    """The expected calibration error of what `calibration_bins` counted."""
    samples, right, confidence = counted.T
    if not samples.sum():
        raise DataError("there are no samples whose calibration could be measured")
    return float(np.abs(right - confidence).sum() / samples.sum())


def standard_error(accuracies: Sequence[float], samples: int = 0) -> float | None:
    """Of the mean accuracy over several seeds: from their spread, and no less than so many `samples` leave open.

    √(a(1−a)/samples) for a single seed; None where that is not known either.
    """
    if not accuracies or (len(accuracies) < 2 and not samples):
        return None
    mean = statistics.mean(accuracies)
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    variance = mean * (1 - mean) / samples if samples else 0.0
    return max(spread, math.sqrt(variance)) / math.sqrt(len(accuracies))


def _check_scores(what: str, scores: Array, y: Array) -> None:
    if scores.ndim != 2 or y.shape != scores.shape[:1]:
        raise ShapeError(f"{what} (N, C) and labels (N,) are needed, got {scores.shape} and {y.shape}")
    if not scores.size:
        raise DataError(f"{what} of shape {scores.shape} hold nothing that could be measured")
    if np.isnan(scores).any():
        row = int(np.isnan(scores).any(axis=1).argmax())
        raise DataError(f"{what} hold NaN, first in row {row}, and NaN has no rank; find where it comes from")
    _check_classes("y", y, scores.shape[1])


def _check_classes(what: str, y: Array, classes: int) -> None:
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise ShapeError(f"{what} must be class numbers, integers (N,), got {y.dtype} of shape {y.shape}")
    if len(y) and (y.min() < 0 or y.max() >= classes):
        wrong = int(y[(y < 0) | (y >= classes)][0])
        raise DataError(f"{what} holds {wrong}, but {classes} classes have the numbers 0 to {classes - 1}")
