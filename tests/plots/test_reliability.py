"""Accuracy against confidence."""

import numpy as np
import pytest

from plaingrad import metrics, plots
from plaingrad.errors import DataError, ShapeError
from plaingrad.predictions import Predictions
from plots.runs import drawn, lines, texts

RNG = np.random.default_rng(0)
PROBABILITIES = RNG.dirichlet([0.5] * 4, 800)
LABELS = RNG.integers(0, 4, 800)


def test_probabilities_bins_and_predictions_say_the_same():
    bins = metrics.calibration_bins(PROBABILITIES, LABELS)
    predictions = Predictions(
        part="test",
        classes=("a", "b", "c", "d"),
        labels=LABELS,
        predicted=PROBABILITIES.argmax(axis=1),
        confidence=PROBABILITIES.max(axis=1).astype(np.float32),
        truth=PROBABILITIES[np.arange(800), LABELS].astype(np.float32),
        probabilistic=True,
        chosen=np.zeros(0, dtype=np.int64),
        images=np.zeros((0, 1, 1, 1), dtype=np.uint8),
    )
    there = bins[:, 0] > 0
    for figure in (
        plots.calibration(PROBABILITIES, LABELS),
        plots.calibration(bins),
        plots.calibration(predictions),
    ):
        curve = lines(figure)["accuracy"]
        np.testing.assert_allclose(curve.get_xdata(), bins[there, 2] / bins[there, 0], rtol=1e-5)
        enough = bins[there, 0] >= 10
        share = bins[there, 1] / bins[there, 0]
        np.testing.assert_allclose(curve.get_ydata(), np.where(enough, share, np.nan))
        error = metrics.expected_calibration_error(PROBABILITIES, LABELS)
        assert f"expected calibration error {100 * error:.2g} %" in texts(figure)
        assert drawn(figure)


def test_the_numbers_of_samples_stand_beneath():
    bins = metrics.calibration_bins(PROBABILITIES, LABELS)
    heights = [bar.get_height() for bar in plots.calibration(bins).axes[1].patches]
    assert heights == bins[:, 0].tolist()


def test_few_samples_are_hollow_dots_that_nothing_joins():
    bins = np.zeros((15, 3))
    bins[[9, 10, 12, 14]] = [9, 9, 5.6], [10, 5, 6.8], [1, 0, 0.83], [50, 49, 50.000001]
    found = lines(plots.calibration(bins))
    np.testing.assert_allclose(found["accuracy"].get_ydata(), [np.nan, 0.5, np.nan, 0.98])
    assert found["accuracy"].get_xdata().max() <= 1, "a sum of rounded numbers may be more"
    np.testing.assert_allclose(found["few"].get_ydata(), [1.0, 0.0])
    assert (found["few"].get_linestyle(), found["few"].get_markerfacecolor()) == ("None", "none")
    assert "of fewer than 10 samples" in texts(plots.calibration(bins))
    assert "of fewer than 10 samples" not in texts(plots.calibration(bins, legend=False))


def test_both_axes_go_from_0_to_100_per_cent():
    figure = plots.calibration(PROBABILITIES, LABELS)
    above, below = figure.axes
    assert drawn(figure)
    ticks = [f"{percent} %" for percent in range(0, 101, 20)]
    assert [label.get_text() for label in above.get_yticklabels()] == ticks
    assert [label.get_text() for label in below.get_xticklabels()] == ticks


def test_a_single_sample():
    figure = plots.calibration(np.array([[0.0, 1.0]]), np.array([0]))
    assert set(lines(figure)) == {"few"}
    assert drawn(figure)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((15, 3)),), DataError, "no samples"),
        ((np.zeros((15, 2)),), ShapeError, "counted bins"),
        ((np.array([[2.0, 3.0]]), np.array([0])), DataError, "probabilities must be"),
        ((PROBABILITIES, LABELS[:5]), ShapeError, "labels"),
    ],
)
def test_what_has_no_calibration(arguments, error, message):
    with pytest.raises(error, match=message):
        plots.calibration(*arguments)
