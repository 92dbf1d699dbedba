"""Is a network as sure as it should be?  Accuracy against confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from plaingrad.errors import ShapeError
from plaingrad.metrics import BINS, calibration_bins, calibration_error
from plaingrad.plots.style import BLUE, DARK, FAINT, GREY, ORANGE, WIDTH, PerCent, mark, new_figure, styled

Array = np.ndarray


@styled
def calibration(of: Any, labels: Array | None = None, *, legend: bool = True) -> Figure:
    """The accuracy of samples of like confidence, the larger a dot the more of them; beneath, how many.

    of: Predictions; or probabilities (N, C), with the labels (N,); or what `metrics.calibration_bins` counted,
    (bins, 3).  On the diagonal a network is right as often as it is sure; below it is too sure.  Raises
    ShapeError or DataError for what does not fit together.
    """
    counted = _counted(of, labels)
    error = calibration_error(counted)
    edges = np.arange(len(counted) + 1) / len(counted)
    there = counted[:, 0] > 0
    samples, right, confidence = counted[there].T
    confidence, share = confidence / samples, right / samples
    low = float(edges[:-1][there][0])
    figure = new_figure(WIDTH, 4.2)
    above, below = figure.subplots(2, sharex=True, height_ratios=[4, 1])
    above.plot((low, 1), (low, 1), color=GREY, linewidth=0.8, zorder=1)
    above.vlines(confidence, np.minimum(confidence, share), np.maximum(confidence, share), color=ORANGE,
                 linewidth=1.0, alpha=0.7)  # fmt: skip
    (line,) = above.plot(confidence, share, color=BLUE, linewidth=0.8, label="accuracy")
    mark(line, "accuracy")
    dots = above.scatter(confidence, share, s=6 + 40 * samples / samples.max(), color=BLUE, zorder=3)
    mark(dots, "accuracy")
    above.set_title("accuracy", loc="left", fontsize=9, color=DARK, pad=7)
    above.set_title(
        f"expected calibration error {100 * error:.3g} %", loc="right", fontsize=8, color=DARK, pad=7
    )
    if legend:
        modest = float((share - confidence) @ samples) > 0  # then the room is below the diagonal
        middle = (1 + low) / 2
        above.annotate("as sure as right", (middle, middle), xytext=(5, -5) if modest else (-5, 5), color="#777777",
                       textcoords="offset points", fontsize=8, ha="left" if modest else "right",
                       va="top" if modest else "bottom")  # fmt: skip
    above.yaxis.set_major_formatter(PerCent())
    below.bar(edges[:-1], counted[:, 0], width=1 / len(counted), align="edge", color=FAINT, edgecolor="white",
              linewidth=0.6)  # fmt: skip
    below.set_title("samples", loc="left", fontsize=8, color=DARK, pad=4)
    most = int(counted[:, 0].max())
    below.set_yticks([0, most], ["0", f"{most:,}"], fontsize=8)
    below.set(xlabel="confidence", xlim=(low - 0.01, 1.01))
    below.xaxis.set_major_formatter(PerCent())
    return figure


def _counted(of: Any, labels: Array | None) -> Array:
    if hasattr(of, "confidence"):
        return of.calibration
    values = np.asarray(of)
    if labels is not None:
        return calibration_bins(values, np.asarray(labels), BINS)
    if values.ndim != 2 or values.shape[1] != 3:
        raise ShapeError(
            f"calibration needs predictions, probabilities with labels, or counted bins (bins, 3), got {values.shape}"
        )
    return values
