"""How a run went: its loss, its accuracy and its learning rate, over epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from plaingrad.plots.progress import Progress, Rate, finite
from plaingrad.plots.style import (
    BLUE,
    DARK,
    GREY,
    ORANGE,
    WIDTH,
    PerCent,
    in_plain_numbers,
    mark,
    new_figure,
    short_number,
    styled,
)
from plaingrad.plots.thinning import running_mean, thinned

Array = np.ndarray

_DECADES = 100  # a loss that falls by this factor is drawn on a logarithmic scale
_FEW = 30  # so many evaluations are each worth a dot
_HUGE = 1e5  # a number that an axis shows by its power of ten
_HEIGHT = 3.4  # inches, of what a page shows side by side
_HEAD: dict[str, Any] = {"loc": "left", "fontsize": 9, "color": DARK, "pad": 7}  # what the axis shows, level


@styled
def history(run: Any, *, legend: bool = True, learning_rate: Rate | None = None) -> Figure:
    """Loss, accuracy and learning rate of a run, one below the other.

    run: a run's folder or its path, what `open_run` or `train` returned, a History or a Solver.
    learning_rate: that of any step, where the run does not know it.  Raises RunError if it is no run.
    """
    progress = Progress.of(run, learning_rate)
    steps, rates = progress.rates()
    figure = new_figure(6, 5.6 if len(rates) else 4.6)
    heights = [10, 9, 3] if len(rates) else [10, 9]
    above, middle, *below = figure.subplots(len(heights), sharex=True, height_ratios=heights)
    _draw_loss(above, progress, legend)
    _draw_accuracy(middle, progress, legend)
    for axes in below:
        _draw_rate(axes, progress.at(steps), rates)
    _finish(figure, progress)
    return figure


@styled
def loss(run: Any, *, legend: bool = True, learning_rate: Rate | None = None) -> Figure:
    """The loss of each step, its running mean, the loss at evaluations; beneath them the learning rate.

    The arguments are those of `history`.
    """
    progress = Progress.of(run, learning_rate)
    steps, rates = progress.rates()
    figure = new_figure(WIDTH, _HEIGHT)
    heights = [4, 1] if len(rates) else [1]
    above, *below = figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    _draw_loss(above, progress, legend)
    for axes in below:
        _draw_rate(axes, progress.at(steps), rates)
    _finish(figure, progress)
    return figure


@styled
def accuracy(run: Any, *, legend: bool = True) -> Figure:
    """Training and validation accuracy at each evaluation, the best marked.  `run` as for `history`."""
    progress = Progress.of(run)
    figure = new_figure(WIDTH, _HEIGHT)
    _draw_accuracy(figure.subplots(), progress, legend)
    _finish(figure, progress)
    return figure


def _draw_loss(axes: Axes, progress: Progress, legend: bool) -> None:
    axes.set_title("loss", **_HEAD)
    losses = progress.losses
    judged: list[Array] = []
    if np.isfinite(losses).any():
        steps = np.arange(1, len(losses) + 1)
        window = max(len(losses) // 60, 1)
        kept = thinned(losses)
        look: dict[str, Any] = {"color": GREY, "alpha": 0.6, "linewidth": 0.6}
        if window == 1:
            look = {"color": DARK, "linewidth": 1.2}
        _plot(axes, "step", "each step", progress.at(steps[kept]), losses[kept], **look)
        mean = running_mean(losses, window)
        judged.append(mean)
        if window > 1:
            kept = thinned(mean, 400)
            _plot(axes, "mean", f"mean of {window:,} steps", progress.at(steps[kept]), mean[kept],
                  color=DARK, linewidth=1.3)  # fmt: skip
    for key, label, color, (steps, values) in (
        ("train-loss", "training", BLUE, progress.train_loss),
        ("val-loss", "validation", ORANGE, progress.val_loss),
    ):
        if np.isfinite(values).any():
            kept = thinned(values, 400)
            _plot(axes, key, label, progress.at(steps[kept]), values[kept], color=color)
            judged.append(values)
    _choose_scale(axes, judged, losses)
    if progress.broke_off is not None and axes.lines:
        _mark_step(axes, progress, progress.broke_off, "not finite from here")
    _mark_best(axes, progress, 1)
    _close(axes, legend, "no finite loss is on record")


def _draw_accuracy(axes: Axes, progress: Progress, legend: bool) -> None:
    axes.set_title("accuracy", **_HEAD)
    axes.yaxis.set_major_formatter(PerCent())
    steps = np.array([record.step for record in progress.records], dtype=np.float64)
    for key, label, color, values in (
        ("train", "training", BLUE, [record.train_accuracy for record in progress.records]),
        ("val", "validation", ORANGE, [record.val_accuracy for record in progress.records]),
    ):
        values = finite(values)
        if np.isfinite(values).any():
            kept = thinned(values)
            if key == "val" and progress.best is not None:
                top = progress.best.val_accuracy or 0.0
                label += f", best {100 * top:.4g} %"
                axes.plot(progress.at(progress.best.step), top, "o", color=color, markersize=6,
                          markeredgecolor="white", zorder=5, clip_on=False)  # fmt: skip
            _plot(axes, key, label, progress.at(steps[kept]), values[kept], color=color)
    _mark_best(axes, progress, 0)
    _close(axes, legend, "no evaluation is on record")


def _mark_best(axes: Axes, progress: Progress, height: float) -> None:
    """Where the checkpoint with the best weights comes from."""
    if progress.best is not None and axes.lines:
        _mark_step(axes, progress, progress.best.step, "best", height)


def _mark_step(axes: Axes, progress: Progress, step: int, text: str, height: float = 1) -> None:
    """A thin upright line, and what it means, at a height from 0 to 1."""
    left = step > progress.steps / 2
    x = float(
        progress.at(min(step, progress.steps))
    )  # a damaged history may tell of steps that it does not have
    axes.axvline(x, color=GREY, linewidth=0.7, zorder=1)
    axes.annotate(text, (x, height), xytext=(-3 if left else 3, 3 - 6 * height), textcoords="offset points",
                  xycoords=axes.get_xaxis_transform(), fontsize=8.5, color="#666666",
                  ha="right" if left else "left", va="top" if height else "bottom")  # fmt: skip


def _draw_rate(axes: Axes, x: Array, rates: Array) -> None:
    """Low and quiet: its shape, and its highest value."""
    axes.set_title("learning rate", **_HEAD)
    dots = {"marker": "o" if len(rates) == 1 else None}
    _plot(axes, "rate", "learning rate", x, rates, color=GREY, linewidth=1.2, **dots)
    top = float(np.nanmax(rates)) or 1.0
    axes.set_ylim(0, 1.15 * top)
    axes.set_yticks([0, top], ["0", short_number(top)])


def _plot(axes: Axes, key: str, label: str, x: Array, y: Array, **look: Any) -> None:
    """A curve that a page can switch off; with dots where there are few values."""
    marker = "o" if len(x) < _FEW else None
    (line,) = axes.plot(x, y, **{"linewidth": 1.3, "marker": marker, "markersize": 2.6, **look}, label=label)
    mark(line, key)


def _choose_scale(axes: Axes, judged: list[Array], losses: Array) -> None:
    """Logarithmic where what is `judged` spans decades, and no step's loss is 0 or less."""
    values = np.concatenate([np.empty(0), *judged])
    values = values[np.isfinite(values)]
    if len(values) and values.max() >= _HUGE:
        in_plain_numbers(axes.yaxis)
    if len(values) and 0 < values.min() * _DECADES < values.max() and not (losses <= 0).any():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_formatter(NullFormatter())
        in_plain_numbers(axes.yaxis)
        axes.set_title("loss, logarithmic", **_HEAD)


def _close(axes: Axes, legend: bool, nothing: str) -> None:
    """The legend, above the picture, or what to say where there is nothing to draw."""
    if not axes.lines:
        axes.text(0.5, 0.5, nothing, transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_yticks([])
        axes.spines.left.set_visible(False)
    elif legend:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderpad=0, borderaxespad=0.7,
                    handlelength=1.1, handletextpad=0.5, columnspacing=1.1, fontsize=8)  # fmt: skip


def _finish(figure: Figure, progress: Progress) -> None:
    """The common axis of epochs, as long as the run."""
    last = float(progress.at(progress.steps)) or 1.0
    for axes in figure.axes:
        axes.set_xlim(-0.01 * last, 1.01 * last)
        axes.spines.bottom.set_bounds(0, last)
    below = figure.axes[-1]
    below.set_xlabel(progress.unit)
    below.xaxis.set_major_locator(MaxNLocator(6, integer=last >= 1 or progress.unit == "step", min_n_ticks=1))
