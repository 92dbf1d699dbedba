"""Samples as one would see them, with what they are and what a network takes them for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from plaingrad.errors import DataError, ShapeError, require_count
from plaingrad.plots.style import DARK, ORANGE, fitted, new_figure, styled, text_width

Array = np.ndarray

_TILE = 0.92  # inches
_SIZE = 7  # points, of the text over an image


class _Shown(NamedTuple):
    """Images (N, C, H, W), and for each of them its class, the predicted class and how sure that is."""

    images: Array
    labels: Array
    predicted: Array | None
    confidence: Array | None


@styled
def samples(
    of: Any,
    labels: Array | None = None,
    predicted: Array | None = None,
    confidence: Array | None = None,
    classes: Sequence[str] | None = None,
    *,
    most: int = 40,
) -> Figure:
    """A grid of images, each with its class; what is taken for another is orange, with that class too.

    of: images (N, C, H, W) with C 1 or 3, of which the first `most` are shown: uint8, or floats from 0 to 1, or
    others, which are stretched to their common range.  labels, predicted (N,): class numbers.  confidence
    (N,): of the predicted class.  classes: their names.  Or Predictions alone: their most confident mistakes,
    then, if there is room, samples that are right.  Raises ShapeError or DataError for what does not fit.
    """
    require_count("most", most, 1)
    if hasattr(of, "mistakes"):
        shown, classes = _of_predictions(of, most), of.classes
    else:
        if labels is None:
            raise DataError("images without labels: give the class number of each")
        shown = _checked(np.asarray(of), labels, predicted, confidence, most)
    names = _names(shown, classes)
    images = _visible(shown.images)

    count = len(images)
    columns = min(count, 8)
    rows = math.ceil(count / columns)
    lines = 1 if shown.predicted is None else 2
    height, width = images.shape[1:3]
    tall = _TILE * min(height / width, 2)
    figure = new_figure(_TILE * columns + 0.1, (tall + 0.13 * lines + 0.04) * rows + 0.04)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)  # type: ignore[union-attr, call-arg]
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for i, axes in zip(range(count), grid.flat, strict=False):
        axes.imshow(images[i], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        text, color = _fitting(names[shown.labels[i]]), DARK
        if shown.predicted is not None:
            guess, sure = shown.predicted[i], ""
            if shown.confidence is not None:
                sure = f"{100 * shown.confidence[i]:.0f} %"
            if guess != shown.labels[i]:
                color, sure = ORANGE, sure and f", {sure}"
                sure = f"→ {_fitting(names[guess], f'→ {sure}')}{sure}"
            text += f"\n{sure}"
        axes.set_title(text, fontsize=_SIZE, color=color, pad=2, linespacing=1.1)
    return figure


def _of_predictions(of: Any, most: int) -> _Shown:
    wrong, at = of.pictured(of.mistakes())
    rest, there = of.pictured(of.as_they_come())
    right = of.labels[rest] == of.predicted[rest]
    chosen = np.concatenate([wrong, rest[right]])[:most]
    if not len(chosen):
        raise DataError(f"no pictures of the {of.part} samples are kept: they are no grey or colour images")
    images = of.images[np.concatenate([at, there[right]])[:most]]
    return _Shown(images, of.labels[chosen], of.predicted[chosen], of.confidence[chosen])


def _checked(images: Array, labels: Any, predicted: Any, confidence: Any, most: int) -> _Shown:
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise ShapeError(f"samples are shown as images (N, 1 or 3, H, W), at least one, got {images.shape}")
    found: list[Array | None] = []
    for name, values in (("labels", labels), ("predicted", predicted), ("confidence", confidence)):
        own = None if values is None else np.asarray(values)
        if own is not None and own.shape != images.shape[:1]:
            raise ShapeError(f"{name} must have one value for each of {len(images)} images, got {own.shape}")
        if own is not None and name != "confidence" and (own.dtype.kind not in "iu" or own.min() < 0):
            raise DataError(f"{name} must be class numbers, 0 or more")
        found.append(None if own is None else own[:most])
    own_labels, guesses, sure = found
    assert own_labels is not None
    return _Shown(images[:most], own_labels, guesses, sure)


def _names(shown: _Shown, classes: Sequence[str] | None) -> list[str]:
    """The names of the classes, or their numbers."""
    highest = max(int(own.max()) for own in (shown.labels, shown.predicted) if own is not None)
    names = range(highest + 1) if classes is None else classes
    if highest >= len(names):
        raise DataError(
            f"class {highest} has no name: {len(names)} classes have the numbers 0 to {len(names) - 1}"
        )
    return [str(name) for name in names]


def _fitting(name: str, beside: str = "") -> str:
    """A name as far as there is room for it over an image, beside other text."""
    return fitted(name, _SIZE, 72 * _TILE - 5 - text_width(beside, _SIZE))


def _visible(images: Array) -> Array:
    """As uint8 (N, H, W, C); what is not finite is black."""
    images = images.transpose(0, 2, 3, 1)
    if images.dtype == np.uint8:
        return images
    values = np.nan_to_num(images.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    return (255 * (values - low) / ((high - low) or 1.0)).round().astype(np.uint8)
