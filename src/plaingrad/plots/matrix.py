"""Which classes a network takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from plaingrad.errors import DataError, ShapeError
from plaingrad.plots.style import BLUE, DARK, ORANGE, fitted, new_figure, styled, text_width

Array = np.ndarray

_NUMBERED = 20  # so many classes leave room for numbers in the cells
_NAMED = 25  # and so many for the name of each
_RIGHT = LinearSegmentedColormap.from_list("right", ["white", BLUE])
_WRONG = LinearSegmentedColormap.from_list("wrong", ["white", ORANGE])


@styled
def confusion(of: Any, classes: Sequence[str] | None = None) -> Figure:
    """The confusion matrix: rows are true classes, columns predicted ones, shades shares of the row.

    of: Predictions, or counts (C, C), as `metrics.confusion_matrix` gives them, of `classes`, which are
    numbered if they have no names, or are more than 25.  What is right is blue; mistakes are
    orange, the commonest darkest.  Raises ShapeError or DataError for what is no confusion matrix.
    """
    if hasattr(of, "confusion"):
        of, classes = of.confusion, classes or of.classes
    try:
        counts = np.asarray(of)
    except ValueError:  # its rows are not of one length
        raise ShapeError("a confusion matrix has shape (C, C): as many rows as columns") from None
    _check(counts, classes)
    count = len(counts)
    names = [fitted(str(name), 8, 75) for name in (classes or range(count))]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(count, dtype=bool)
    worst = shares[~diagonal].max(initial=0) or 1.0
    colors = np.where(diagonal[..., None], _RIGHT(0.75 * shares), _WRONG(0.85 * shares / worst))

    side = min(max(1.6, 0.38 * count), 7.6)
    figure = new_figure(side + 1.3, side + 0.9)
    axes = figure.add_subplot()
    axes.imshow(colors, interpolation="nearest")
    if count <= _NUMBERED:
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = shares[row, column] > 0.6 if row == column else shares[row, column] > 0.7 * worst
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=8,
                      color="white" if dark else DARK)  # fmt: skip
    if count <= _NAMED:
        aslant: dict[str, Any] = {}
        if (
            max(text_width(name, 8) for name in names) > 68 * side / count
        ):  # points: they would run into each other
            aslant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
        axes.set_yticks(range(count), names, fontsize=8)
        axes.set_xticks(range(count), names, fontsize=8, **aslant)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    numbered = "" if count <= _NAMED else ", by its number"
    axes.set(xlabel=f"predicted class{numbered}", ylabel=f"true class{numbered}")
    return figure


def _check(counts: Array, classes: Sequence[str] | None) -> None:
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ShapeError(f"a confusion matrix has shape (C, C), one class or more, got {counts.shape}")
    if not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0:
        raise DataError("a confusion matrix holds counts: whole numbers, 0 or more")
    if classes is not None and len(classes) != len(counts):
        raise DataError(f"{len(classes)} names for the {len(counts)} classes of a confusion matrix")
