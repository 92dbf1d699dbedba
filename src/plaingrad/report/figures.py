"""The pictures of a report, each drawn on a matplotlib Figure and returned as a file's bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from plaingrad.callbacks import EpochRecord
from plaingrad.report.tiles import tile_grid

# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#9aa0a6"

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888",
    "axes.labelcolor": "#444",
    "xtick.color": "#444",
    "ytick.color": "#444",
    "axes.grid": True,
    "grid.color": "#e8e8e8",
    "svg.hashsalt": "plaingrad",  # the same run gives the same bytes
    "svg.fonttype": "path",
}


_TILE = 24  # pixels of a filter's picture, before the whole is enlarged


def loss_curve(losses: Sequence[float], steps_per_epoch: float) -> bytes:
    """The loss of every step, and its running mean, against epochs; SVG."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("epoch", "training loss")
        values = np.asarray(losses, dtype=float)
        epochs = np.arange(1, len(values) + 1) / steps_per_epoch
        thin = max(len(values) // 2000, 1)
        axes.plot(epochs[::thin], values[::thin], color=GREY, alpha=0.45, linewidth=0.7, label="each step")
        window = max(len(values) // 60, 1)
        if window > 1:
            mean = np.convolve(values, np.ones(window) / window, mode="valid")
            axes.plot(epochs[window - 1 :][::thin], mean[::thin], color=BLUE, linewidth=1.8,
                      label=f"mean of {window} steps")  # fmt: skip
        axes.legend(frameon=False)
        return to_svg(figure)


def accuracy_curves(records: Sequence[EpochRecord], steps_per_epoch: float) -> bytes:
    """Training and validation accuracy at each evaluation; SVG."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("epoch", "accuracy")
        epochs = [record.step / steps_per_epoch for record in records]
        mark = "o" if len(records) < 30 else None
        axes.plot(
            epochs, [r.train_accuracy for r in records], color=BLUE, marker=mark, ms=3, label="training"
        )
        val = [
            (e, r.val_accuracy) for e, r in zip(epochs, records, strict=True) if r.val_accuracy is not None
        ]
        if val:
            best = max(accuracy for _, accuracy in val)
            label = f"validation, best {best:.1%}"
            axes.plot(*zip(*val, strict=True), color=ORANGE, marker=mark, ms=3, label=label)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.legend(frameon=False, loc="lower right")
        return to_svg(figure)


def weight_grid(weight: np.ndarray, input_shape: tuple[int, ...], *, most: int = 100) -> bytes | None:
    """The first `most` units of a first layer as pictures of what they look for; PNG.

    weight (D, units) over samples of `input_shape`, or filters (F, C, kh, kw) on their C channels; None
    if those are not grey or colour images.
    """
    if len(input_shape) != 3 or input_shape[0] not in (1, 3):
        return None
    columns = None
    if weight.ndim == 4 and weight.shape[1] == input_shape[0]:
        enlarged = max(1, _TILE // max(weight.shape[2:]))  # so that gaps between them are thin
        units = weight[:most].repeat(enlarged, axis=2).repeat(enlarged, axis=3)
        columns = min(len(units), 12)
    elif weight.ndim == 2 and weight.shape[0] == np.prod(input_shape):
        units = weight.T[:most].reshape(-1, *input_shape)
    else:
        return None
    from PIL import Image

    units = units.transpose(0, 2, 3, 1)
    grid = tile_grid(units.astype(np.float64), ubound=255.0, padding=1, columns=columns)
    picture = Image.fromarray(np.squeeze(grid.round().clip(0, 255).astype(np.uint8)))
    scale = max(1, 760 // picture.width)
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def new_axes(x: str, y: str) -> tuple[Figure, Axes]:
    """An empty picture with two named axes."""
    figure = Figure(figsize=(6.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure, axes


def to_svg(figure: Figure) -> bytes:
    """The picture as a file; the same picture gives the same bytes."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
