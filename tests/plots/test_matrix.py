"""The confusion matrix."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from plaingrad import plots
from plaingrad.errors import DataError, ShapeError
from plaingrad.plots.style import BLUE, ORANGE
from plots.runs import drawn, texts

COUNTS = np.array([[90, 10, 0], [0, 100, 0], [40, 1_000, 960]])


def test_numbers_names_and_shades():
    figure = plots.confusion(COUNTS, ["cat", "dog", "<b>$x$ 猫"])
    assert {"90", "1,000", "cat", "dog", "<b>$x$ ?"} <= set(texts(figure))
    assert "0" not in texts(figure), "an empty cell is empty"
    shades = np.asarray(figure.axes[0].images[0].get_array())[..., :3]
    white = np.ones(3)

    def toward(color, shade):
        return np.dot(white - shade, white - to_rgb(color)) / np.sum((white - np.array(to_rgb(color))) ** 2)

    assert toward(BLUE, shades[1, 1]) > toward(BLUE, shades[0, 0]) > toward(BLUE, shades[2, 2]) > 0
    assert toward(ORANGE, shades[2, 1]) > toward(ORANGE, shades[0, 1]) > toward(ORANGE, shades[2, 0]) > 0
    np.testing.assert_array_equal(shades[0, 2], white)
    assert drawn(figure)


@pytest.mark.parametrize("classes", [1, 2, 40, 300])
def test_any_number_of_classes(classes):
    figure = plots.confusion(np.eye(classes, dtype=int), [f"class {i}" for i in range(classes)])
    assert drawn(figure)


def test_of_many_classes_there_are_neither_names_nor_counts():
    few, many = (
        texts(plots.confusion(5 * np.eye(n, dtype=int), [f"class {i}" for i in range(n)])) for n in (20, 26)
    )
    assert {"class 0", "class 19", "5", "true class"} <= set(few)
    assert not [text for text in many if text.startswith("class")]
    assert many.count("5") <= 2, "as ticks"
    assert "true class, by its number" in many


def test_a_class_without_samples():
    assert drawn(plots.confusion(np.zeros((3, 3), dtype=int)))


@pytest.mark.parametrize(
    ("counts", "classes", "error", "message"),
    [
        (np.zeros((2, 3), dtype=int), None, ShapeError, "shape"),
        (np.zeros((0, 0), dtype=int), None, ShapeError, "shape"),
        ([[1, "x"]], None, ShapeError, "shape"),
        ([[1, 2], [3]], None, ShapeError, "as many rows as columns"),
        ([[0.5, 0.5], [0, 1.0]], None, DataError, "counts"),
        ([[1, -1], [0, 1]], None, DataError, "counts"),
        ([[1, 0], [0, 1]], ["one"], DataError, "1 names for the 2 classes"),
    ],
)
def test_what_is_no_confusion_matrix(counts, classes, error, message):
    with pytest.raises(error, match=message):
        plots.confusion(counts, classes)
