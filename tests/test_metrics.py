"""The metrics, against cases worked by hand, plain loops, scikit-learn, and what must hold for any scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaingrad.errors import DataError, PlaingradError, RecipeError, ShapeError
from plaingrad.metrics import (
    accuracy,
    calibration_bins,
    calibration_error,
    confidence_bins,
    confusion_matrix,
    expected_calibration_error,
    per_class_accuracy,
    standard_error,
    top_k_accuracy,
)

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.1, 0.4, 0.5]])
Y = np.array([1, 2, 0, 2])


@st.composite
def classified(draw):
    """Scores on a coarse grid, so that many are equal, and labels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, classes = draw(st.integers(1, 40)), draw(st.integers(1, 8))
    scores = rng.integers(-3, 4, (count, classes)).astype(draw(st.sampled_from(["float32", "float64"])))
    return scores, rng.integers(0, classes, count, dtype=draw(st.sampled_from([np.int64, np.uint8])))


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_accuracies_by_hand():
    assert accuracy(SCORES, Y) == 0.5
    assert [top_k_accuracy(SCORES, Y, k) for k in (1, 2, 3)] == [0.5, 0.75, 1.0]


def test_of_equal_scores_the_lower_class_is_the_higher():
    tied = np.zeros((3, 3))
    for k in (1, 2, 3):
        assert top_k_accuracy(tied, np.arange(3), k) == k / 3
        assert [top_k_accuracy(tied[:1], np.array([c]), k) for c in range(3)] == [c < k for c in range(3)]
    infinite = np.array([[-np.inf, 0.0, -np.inf]])
    assert top_k_accuracy(infinite, np.array([0]), 2) == 1
    assert top_k_accuracy(infinite, np.array([2]), 2) == 0


def test_confusion_by_hand():
    confusion = confusion_matrix(np.array([0, 0, 0, 2, 2]), np.array([0, 2, 2, 2, 1]), 4)
    assert confusion.dtype == np.int64
    assert confusion.tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(per_class_accuracy(confusion), [1 / 3, np.nan, 1 / 2, np.nan])


def test_small_integer_types_do_not_overflow():
    y = np.arange(200, dtype=np.uint8)
    for predicted in (y, y.astype(np.uint64)):
        assert (confusion_matrix(y, predicted, 200) == np.eye(200)).all()


def test_calibration_by_hand():
    # Two bins: confidences 0.5 and 0.4 lie in (0, 0.5], 0.75 and 1 in (0.5, 1].
    p = np.array([[0.5, 0.25, 0.25], [0.3, 0.3, 0.4], [0.75, 0.25, 0.0], [0.0, 1.0, 0.0]])
    y = np.array([0, 1, 1, 1])
    np.testing.assert_allclose(calibration_bins(p, y, 2), [[2, 1, 0.9], [2, 1, 1.75]])
    known = confidence_bins(p.max(axis=1), p.argmax(axis=1) == y, 2)
    np.testing.assert_array_equal(known, calibration_bins(p, y, 2))
    assert expected_calibration_error(p, y, 2) == pytest.approx((abs(1 - 0.9) + abs(1 - 1.75)) / 4)


def test_sure_and_right_is_calibrated_sure_and_wrong_is_not():
    sure = np.eye(3)[[0, 1, 2, 0]]
    assert expected_calibration_error(sure, np.array([0, 1, 2, 0])) == 0
    assert expected_calibration_error(sure, np.array([1, 2, 0, 1])) == 1


def test_a_confidence_that_rounding_brought_above_1_is_in_the_last_bin():
    counted = calibration_bins(np.array([[1.0001, 0.0]]), np.array([0]), 4)
    np.testing.assert_allclose(counted, [[0, 0, 0]] * 3 + [[1, 1, 1.0001]])


@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize("classes", [2, 10])
def test_calibration_against_the_paper_s_sum(classes, bins):
    rng = np.random.default_rng(bins)
    p = softmax(2 * rng.standard_normal((300, classes)))
    p[:20] = 1 / classes  # on the edge of a bin, or of none
    p[20:40] = np.eye(classes)[0]
    y = np.where(rng.random(300) < 0.6, p.argmax(axis=1), rng.integers(0, classes, 300))
    expected = 0.0
    for m in range(1, bins + 1):
        own = [i for i in range(300) if (m - 1) / bins < p[i].max() <= m / bins]
        if own:
            acc = np.mean([p[i].argmax() == y[i] for i in own])
            conf = np.mean([p[i].max() for i in own])
            expected += len(own) / 300 * abs(acc - conf)
    assert expected_calibration_error(p, y, bins) == pytest.approx(expected, abs=1e-12)


def test_against_scikit_learn():
    theirs = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn to compare with")
    rng = np.random.default_rng(0)
    scores, y = rng.standard_normal((200, 7)), rng.integers(0, 6, 200)  # no sample of class 6
    predicted, classes = scores.argmax(axis=1), range(7)
    assert accuracy(scores, y) == theirs.accuracy_score(y, predicted)
    confusion = confusion_matrix(y, predicted, 7)
    np.testing.assert_array_equal(confusion, theirs.confusion_matrix(y, predicted, labels=classes))
    recalls = theirs.recall_score(y, predicted, labels=classes, average=None, zero_division=np.nan)
    np.testing.assert_allclose(per_class_accuracy(confusion), recalls)
    for k in (1, 2, 5):
        assert top_k_accuracy(scores, y, k) == theirs.top_k_accuracy_score(y, scores, k=k, labels=classes)


@given(classified())
def test_accuracies_and_confusion_agree(sample):
    scores, y = sample
    count, classes = scores.shape
    accuracies = [top_k_accuracy(scores, y, k) for k in range(1, classes + 1)]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] == 1
    assert accuracies[0] == accuracy(scores, y) == (scores.argmax(axis=1) == y).mean()
    confusion = confusion_matrix(y, scores.argmax(axis=1), classes)
    assert confusion.trace() / count == accuracies[0]
    assert confusion.sum(axis=1).tolist() == np.bincount(y, minlength=classes).tolist()
    shares = confusion.sum(axis=1) / count
    assert np.nansum(per_class_accuracy(confusion) * shares) == pytest.approx(accuracies[0])


@given(classified(), st.integers(1, 20))
def test_calibration_is_a_distance_between_accuracy_and_confidence(sample, bins):
    scores, y = sample
    p = softmax(scores)
    distance = abs(accuracy(p, y) - p.max(axis=1).mean(dtype=np.float64))
    assert expected_calibration_error(p, y, 1) == pytest.approx(distance, abs=1e-6)
    assert distance - 1e-6 <= expected_calibration_error(p, y, bins) <= 1


@given(classified(), st.integers(0, 40))
def test_batches_add_up(sample, cut):
    scores, y = sample
    p, predicted, classes = softmax(scores), scores.argmax(axis=1), scores.shape[1]
    parts = [part for part in (slice(None, cut), slice(cut, None)) if len(y[part])]
    whole = confusion_matrix(y, predicted, classes)
    assert (whole == sum(confusion_matrix(y[part], predicted[part], classes) for part in parts)).all()
    bins = np.sum([calibration_bins(p[part], y[part]) for part in parts], axis=0)
    assert calibration_error(bins) == pytest.approx(expected_calibration_error(p, y))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: accuracy(SCORES[0], Y), ShapeError, r"scores \(N, C\) and labels \(N,\) are needed"),
        (lambda: accuracy(SCORES, Y[:3]), ShapeError, r"got \(4, 3\) and \(3,\)"),
        (lambda: accuracy(SCORES[:0], Y[:0]), DataError, r"scores of shape \(0, 3\) hold nothing"),
        (lambda: accuracy(SCORES, Y + 1), DataError, "y holds 3, but 3 classes have the numbers 0 to 2"),
        (lambda: accuracy(SCORES, Y - 1), DataError, "y holds -1"),
        (lambda: accuracy(SCORES, Y * 1.0), ShapeError, "integers .*got float64"),
        (lambda: accuracy(np.where(SCORES == 0.4, np.nan, SCORES), Y), DataError, "NaN, first in row 3"),
        (lambda: top_k_accuracy(SCORES, Y, 0), RecipeError, "a whole number, 1 or more, got 0"),
        (lambda: top_k_accuracy(SCORES, Y, 4), RecipeError, "at most 3, the number of classes, got 4"),
        (lambda: confusion_matrix(Y, Y[:2], 3), ShapeError, r"one length, got \(4,\) and \(2,\)"),
        (lambda: confusion_matrix(Y, Y + 1, 3), DataError, "predicted holds 3"),
        (lambda: confusion_matrix(Y, Y, 0), RecipeError, "number of classes"),
        (lambda: per_class_accuracy(SCORES), ShapeError, r"shape \(C, C\), got \(4, 3\)"),
        (lambda: expected_calibration_error(SCORES * 3, Y), DataError, "sums from 3 to 3.*apply softmax"),
        (lambda: expected_calibration_error(SCORES - [0.5, 0, -0.5], Y), DataError, "minimum of -0.4"),
        (lambda: expected_calibration_error(SCORES, Y, 0), RecipeError, "bins must be a whole number"),
        (lambda: calibration_error(np.zeros((15, 3))), DataError, "no samples"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, error, words):
    assert issubclass(error, PlaingradError)
    with pytest.raises(error, match=words):
        call()


def test_the_standard_error_is_that_of_the_seeds_and_no_less_than_samples_leave_open():
    assert standard_error([0.9], 100) == pytest.approx(0.03)
    assert standard_error([0.8, 1.0]) == pytest.approx(0.1)
    assert standard_error([0.9, 0.9, 0.9, 0.9], 100) == pytest.approx(0.015), "seeds that happen to agree"
    assert standard_error([0.9]) is None, "one seed and no samples tell nothing"
    assert standard_error([], 100) is None


def test_no_confidence_at_all_is_the_least():
    counted = confidence_bins(np.array([0, 0.1, 0.5, 1], dtype=np.float32), np.array([0, 1, 1, 1]), 2)
    np.testing.assert_allclose(counted, [[3, 2, 0.6], [1, 1, 1]], rtol=1e-6)
