"""The pictures of a comparison: the curves of its runs over each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from plaingrad.plots.style import (
    AMBER,
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    WIDTH,
    PerCent,
    in_plain_numbers,
    mark,
    new_figure,
    styled,
)
from plaingrad.plots.thinning import running_mean, thinned
from plaingrad.report.comparison import Comparison, Setting
from plaingrad.report.entry import Entry

Array = np.ndarray
Curve = tuple[Array, Array]

COLORS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)  # of the best settings; the others are grey
_POINTS = 40_000  # of all thin curves together
_BELOW = 5  # times the range of the final accuracies that is shown of what came before
_DECADES = 30  # losses that span such a factor are drawn on a logarithmic scale


def color_of(setting: Setting) -> str:
    """The colour of a setting on the whole page."""
    return COLORS[setting.number - 1] if setting.number <= len(COLORS) else GREY


@styled
def accuracy(comparison: Comparison) -> Figure:
    """The validation accuracy of each run, thin, and the mean of each setting over its seeds."""
    figure = new_figure(WIDTH, 3.4)
    axes = figure.subplots()
    _draw(axes, comparison, _accuracies)
    ended = [value for own in comparison.settings for value in own.accuracies]
    if ended:  # how they end counts: what lies far below all of them is left out
        low = max(ended) - max(_BELOW * (max(ended) - min(ended)), 0.1)
        axes.set_ylim(max(low, axes.get_ylim()[0]), min(axes.get_ylim()[1], 1.005))
    axes.set_title("validation accuracy", loc="left", fontsize=9, color=DARK, pad=7)
    axes.yaxis.set_major_formatter(PerCent())
    return figure


@styled
def loss(comparison: Comparison) -> Figure:
    """The running mean of each run's training loss, thin, and the mean of each setting over its seeds."""
    figure = new_figure(WIDTH, 3.4)
    axes = figure.subplots()
    drawn = _draw(axes, comparison, _losses)
    title = "training loss, running mean"
    values = np.concatenate([np.empty(0), *(y[len(y) // 20 :] for _, y in drawn)])
    values = values[np.isfinite(values)]
    if len(values) and 0 < values.min() * _DECADES < values.max():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_formatter(NullFormatter())
        in_plain_numbers(axes.yaxis)
        title += ", logarithmic"
    axes.set_title(title, loc="left", fontsize=9, color=DARK, pad=7)
    return figure


def _draw(axes: Axes, comparison: Comparison, curve_of: Callable[[Entry], Curve]) -> list[Curve]:
    """Each run a thin line, each setting's mean over those that have ended on top, the best last; all means."""
    most = max(_POINTS // max(len(comparison.runs), 1), 40)
    drawn = []
    for own in comparison.settings:
        curves = [curve for run in own.runs if len((curve := curve_of(run))[0])]
        if not curves:
            continue
        whole = [curve for run in own.runs if run.finished and len((curve := curve_of(run))[0])]
        colored, mean = own.number <= len(COLORS), _mean(whole or curves)
        key = f"setting-{own.number}" if colored else "others"
        over = 3 + 1 / own.number
        if len(curves) > 1:
            thin = LineCollection([np.column_stack(_thinned(curve, most)) for curve in curves], colors=color_of(own),
                                  linewidths=0.5, alpha=0.45, zorder=over - 1.5)  # fmt: skip
            mark(thin, key)
            axes.add_collection(thin)
        x, y = _thinned(mean, 300)
        look = {"color": color_of(own), "linewidth": 1.5 if colored else 0.8, "zorder": over}
        (line,) = axes.plot(
            x, y, marker="o" if len(x) == 1 else None, markersize=3, label=_told(own, comparison), **look
        )
        mark(line, key)
        drawn.append(mean)
    axes.autoscale_view()
    axes.set_xlabel("epoch")
    most = max((x[-1] for x, _ in drawn), default=1.0)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=bool(most >= 2), min_n_ticks=1))
    axes.margins(x=0.01)
    return drawn


def _told(setting: Setting, comparison: Comparison) -> str:
    """What the legend and the reading call a setting; those without a colour have no name of their own."""
    others = len(comparison.settings) - len(COLORS)
    return setting.label if setting.number <= len(COLORS) or others == 1 else f"the {others} others"


def _accuracies(run: Entry) -> Curve:
    found = [(own.step, own.val_accuracy) for own in run.history.records if own.val_accuracy is not None]
    steps, values = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return steps / run.steps_per_epoch, values


def _losses(run: Entry) -> Curve:
    losses = np.asarray(run.history.losses, dtype=np.float64)
    return np.arange(1, len(losses) + 1) / run.steps_per_epoch, running_mean(
        losses, max(len(losses) // 60, 1)
    )


def _mean(curves: Sequence[Curve]) -> Curve:
    """The mean of curves as far as the shortest goes: the seeds of a setting are evaluated at the same epochs."""
    length = min(len(x) for x, _ in curves)
    return curves[0][0][:length], np.mean([y[:length] for _, y in curves], axis=0)


def _thinned(curve: Curve, most: int) -> Curve:
    x, y = curve
    kept = thinned(y, most)
    return x[kept], y[kept]
