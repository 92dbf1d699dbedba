"""Is a network as sure as it should be?  Accuracy against confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from plaingrad.errors import ShapeError
from plaingrad.metrics import BINS, calibration_bins, calibration_error
from plaingrad.plots.style import BLUE, DARK, GREY, ORANGE, PerCent, mark, new_figure, styled

Array = np.ndarray


_WIDTH = 5.6  # inches: a page shows this figure wider than others
_FEW = 10  # samples: of fewer, a share is luck


@styled
def calibration(of: Any, labels: Array | None = None, *, legend: bool = True) -> Figure:
    """The accuracy of samples of like confidence, the larger a dot the more of them; beneath, how many.

    of: Predictions; or probabilities (N, C), with the labels (N,); or what `metrics.calibration_bins` counted,
    (bins, 3).  On the diagonal a network is right as often as it is sure; below it is too sure.  Fewer than 10
    samples are a hollow dot, to which no line leads.  Raises ShapeError or DataError for what does not fit
    together.
    """
    counted = _counted(of, labels)
    error = calibration_error(counted)
    there = counted[:, 0] > 0
    samples, right, confidence = counted[there].T
    confidence, share = np.minimum(confidence / samples, 1), right / samples  # sums of float32 may round up
    few = samples < _FEW
    figure = new_figure(_WIDTH, 5.6)
    above, below = figure.subplots(2, sharex=True, height_ratios=[6, 1])
    above.plot((0, 1), (0, 1), color=GREY, linewidth=0.8, zorder=1)
    above.vlines(confidence[~few], np.minimum(confidence, share)[~few], np.maximum(confidence, share)[~few],
                 color=ORANGE, linewidth=1.0, alpha=0.7)  # fmt: skip
    if not few.all():
        (line,) = above.plot(
            confidence, np.where(few, np.nan, share), color=BLUE, linewidth=0.8, label="accuracy"
        )
        mark(line, "accuracy")
        dots = above.scatter(confidence[~few], share[~few], s=6 + 40 * samples[~few] / samples.max(), color=BLUE,
                             zorder=3, clip_on=False)  # fmt: skip
        mark(dots, "accuracy")
    if few.any():
        (line,) = above.plot(confidence[few], share[few], "o", color=GREY, markerfacecolor="none", markersize=4,
                             label=f"of fewer than {_FEW} samples", clip_on=False)  # fmt: skip
        mark(line, "few")
        if legend:
            above.legend(handles=[line], loc="upper left", handletextpad=0.1, fontsize=8)
    above.set_title("accuracy", loc="left", fontsize=9, color=DARK, pad=7)
    above.set_title(
        f"expected calibration error {100 * error:.2g} %", loc="right", fontsize=9, color=DARK, pad=7
    )
    if legend:
        modest = float((share - confidence) @ samples) > 0  # then the room is below the diagonal
        above.annotate("as sure as right", (0.25, 0.25), xytext=(5, -5) if modest else (-5, 5), color="#666666",
                       textcoords="offset points", fontsize=8, ha="left" if modest else "right",
                       va="top" if modest else "bottom")  # fmt: skip
    above.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), yticks=np.linspace(0, 1, 6))
    above.yaxis.set_major_formatter(PerCent())
    below.bar(np.arange(len(counted)) / len(counted), counted[:, 0], width=1 / len(counted), align="edge",
              color=GREY, edgecolor="white", linewidth=0.6)  # fmt: skip
    below.set_title("samples", loc="left", fontsize=9, color=DARK, pad=4)
    most = int(counted[:, 0].max())
    below.set(
        xlabel="confidence", yticks=[0, most], yticklabels=["0", f"{most:,}"], xticks=np.linspace(0, 1, 6)
    )
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
