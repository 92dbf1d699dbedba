"""Samples with their classes."""

import numpy as np
import pytest

from plaingrad import plots
from plaingrad.errors import DataError, RecipeError, ShapeError
from plaingrad.plots.style import ORANGE
from plaingrad.predictions import Predictions
from plots.runs import drawn

NAMES = ("cat", "dog", "<i>$x$")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6)).astype(np.uint8)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.images]


def test_images_and_classes():
    figure = plots.samples(IMAGES, np.array([0, 1, 2, 0, 1]), classes=NAMES)
    assert titles(figure) == ["cat", "dog", "<i>$x$", "cat", "dog"]
    shown = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(shown, IMAGES[0].transpose(1, 2, 0))
    assert drawn(figure)


def test_mistakes_stand_out():
    figure = plots.samples(IMAGES[:2], [0, 1], [0, 2], [0.9, 0.41], NAMES)
    assert titles(figure) == ["cat\n90 %", "dog\n→ <i>$x$, 41 %"]
    assert [axes.title.get_color() == ORANGE for axes in figure.axes[:2]] == [False, True]
    assert drawn(figure)


def test_long_names_stay_over_their_own_image():
    names = ["Golden-crowned kinglet", "Lesser black-backed gull", "a" * 500]
    figure = plots.samples(IMAGES, [0, 1, 2, 0, 1], [1, 2, 0, 0, 1], [1.0] * 5, names)
    figure.draw_without_rendering()
    tiles = [axes for axes in figure.axes if axes.images]
    room = tiles[1].get_window_extent().x0 - tiles[0].get_window_extent().x0
    for axes in tiles:
        assert axes.title.get_window_extent().width < room
        assert "…" in axes.get_title()


def test_at_most_so_many_and_numbers_where_there_are_no_names():
    assert titles(plots.samples(IMAGES, [4, 3, 2, 1, 0], most=2)) == ["4", "3"]


def test_floats_from_0_to_1_keep_their_brightness_and_others_are_stretched():
    def shown(images):
        return np.asarray(
            plots.samples(np.array(images).reshape(1, 1, 1, 3), [0]).axes[0].images[0].get_array()
        )

    assert shown([0.2, 0.4, 0.6]).ravel().tolist() == [51, 102, 153]
    assert shown([-1.0, 0.0, 1.0]).ravel().tolist() == [0, 128, 255]
    assert shown([np.nan, 0.0, 1.0]).ravel().tolist() == [0, 0, 255]


def predictions(labels, predicted, confidence, chosen):
    return Predictions(
        part="test",
        classes=NAMES,
        labels=np.array(labels, dtype=np.int64),
        predicted=np.array(predicted, dtype=np.int64),
        confidence=np.array(confidence, dtype=np.float32),
        truth=np.zeros(len(labels), dtype=np.float32),
        probabilistic=True,
        chosen=np.array(chosen, dtype=np.int64),
        images=IMAGES[: len(chosen)],
    )


def test_predictions_show_their_surest_mistakes_first():
    of = predictions([0, 0, 1, 2], [0, 1, 2, 2], [0.9, 0.5, 0.8, 0.7], [0, 1, 2, 3])
    figure = plots.samples(of)
    assert titles(figure) == ["dog\n→ <i>$x$, 80 %", "cat\n→ dog, 50 %", "cat\n90 %", "<i>$x$\n70 %"]
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), IMAGES[2].transpose(1, 2, 0))


def test_predictions_without_pictures():
    with pytest.raises(DataError, match="no pictures of the test samples"):
        plots.samples(predictions([0], [1], [0.5], []))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((IMAGES[:, :2], [0] * 5), ShapeError, "1 or 3, H, W"),
        ((IMAGES[:0], []), ShapeError, "1 or 3, H, W"),
        ((IMAGES[0], [0, 1, 2]), ShapeError, "1 or 3, H, W"),
        ((IMAGES,), DataError, "without labels"),
        ((IMAGES, [0, 1]), ShapeError, "labels must have one value for each of 5 images"),
        ((IMAGES, [0] * 5, [0] * 4), ShapeError, "predicted must have"),
        ((IMAGES, [0.5] * 5), DataError, "labels must be class numbers"),
        ((IMAGES, [-1] * 5), DataError, "labels must be class numbers"),
        ((IMAGES, [7] * 5, None, None, NAMES), DataError, "class 7 has no name"),
    ],
)
def test_what_does_not_belong_together(arguments, error, message):
    with pytest.raises(error, match=message):
        plots.samples(*arguments)


def test_no_image_at_all():
    with pytest.raises(RecipeError, match="most must be a whole number"):
        plots.samples(IMAGES, [0] * 5, most=0)
