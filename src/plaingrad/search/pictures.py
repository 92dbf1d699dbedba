"""The pictures of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from plaingrad.plots.style import BLUE, DARK, GREY, ORANGE, WIDTH, PerCent, mark, new_figure, styled
from plaingrad.report.values import short_names
from plaingrad.search.results import State, StudyResult, TrialResult
from plaingrad.search.scales import FEW, SHADES, Range, Scale, percent, wrapped

MOST = 500  # trials of a state that are drawn: more could not be told apart

_BEST = SHADES(1.0)
_WIDTH = 9.0  # inches: as wide as the page
_PER_CENT = PerCent()


@styled
def parallel(result: StudyResult) -> Figure:
    """A line for each trial, through its value on the axis of each field to its accuracy on the last."""
    complete, pruned = _drawn(result, "complete"), _drawn(result, "pruned")
    range_ = Range.of(complete, pruned)
    scales = {name: Scale(kind, result.trials, name) for name, kind in result.scales.items()}
    names = short_names(scales)
    room = 16 if len(scales) < 6 else 11
    figure = new_figure(_WIDTH, 4.0)
    axes = figure.add_subplot()
    axes.set_axis_off()
    look = {"linewidths": 0.6, "alpha": 0.5} if len(complete) > 100 else {"linewidths": 1.1, "alpha": 0.9}
    dashed = {"linewidths": 0.6, "alpha": 0.7, "linestyles": [(0, (4, 3))]}
    _lines(axes, "pruned", pruned, scales, range_, GREY, **dashed)
    _lines(axes, "complete", complete[:0:-1], scales, range_, **look)
    _lines(axes, "best", complete[:1], scales, range_, linewidths=3.0)
    for x, (name, scale) in enumerate(scales.items()):
        axes.plot((x, x), (0, 1), color="#666666", linewidth=0.8)
        _head(axes, x, wrapped(names[name], room))
        for place, label in scale.ticks():
            _tick(axes, x - 0.05, place, wrapped(label, room), "right")
    last = len(scales)
    axes.imshow(np.linspace(0, 1, 256)[:, None], cmap=SHADES, extent=(last - 0.025, last + 0.025, 0, 1),
                origin="lower", aspect="auto", zorder=3)  # fmt: skip
    _head(axes, last, "validation\naccuracy")
    for value in range_.ticks():
        _tick(axes, last + 0.05, range_.place(value), percent(value), "left")
    if range_.cut:
        _tick(axes, last + 0.05, 0, f"{percent(range_.low)}\nor less", "left")
    axes.set(xlim=(-0.5, last + 0.45), ylim=(-0.03, 1.03))
    _legend(axes, complete, pruned)
    return figure


@styled
def against(result: StudyResult) -> Figure:
    """A small picture for each field: the accuracy of each trial against its value."""
    complete, pruned, diverged = (_drawn(result, state) for state in ("complete", "pruned", "diverged"))
    range_ = Range.of(complete, pruned)
    count = len(result.scales)
    names = short_names(result.scales)
    across = count if count < 4 else 3 if count in (5, 6, 9) else 4
    down = math.ceil(count / across)
    figure = new_figure(_WIDTH if count > 1 else WIDTH, 0.2 + 2.3 * down)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes in grid.flat[count:]:
        axes.remove()
    for axes, (name, kind) in zip(grid.flat, result.scales.items(), strict=False):
        scale = Scale(kind, result.trials, name)
        some = [own for own in pruned if own.accuracy is not None]
        stopped = [scale.place(own.settings.get(name)) for own in some]
        crosses = axes.scatter(
            stopped, [range_.within(own) for own in some], marker="x", color=GREY, s=16, linewidths=1
        )
        mark(crosses, "pruned")
        _dots(axes, [scale.place(own.settings.get(name)) for own in complete], complete, range_)
        ended = [scale.place(own.settings.get(name)) for own in diverged]
        strokes = axes.scatter(ended, [0.03] * len(ended), marker="|", color=ORANGE, s=90, linewidths=1.8,
                               transform=axes.get_xaxis_transform())  # fmt: skip
        mark(strokes, "diverged")
        _label_values(axes, scale.ticks(), room=100 // across, numbers=kind != "choice")
        axes.set_xlabel(wrapped(names[name], 26), weight="bold")
        axes.set_xlim(-0.09, 1.09)
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
    margin = 0.07 * (range_.high - range_.low)
    above = (complete[0].standard_error or 0) * 1.1 if 0 < len(complete) <= FEW else 0
    grid[0, 0].set_ylim(range_.low - margin, range_.high + max(margin, above))
    grid[0, 0].yaxis.set_major_formatter(_PER_CENT)
    if range_.cut:
        grid[0, 0].set_yticks(range_.ticks())
    _legend(grid[0, 0], complete, pruned, diverged)
    return figure


@styled
def curves(result: StudyResult) -> Figure:
    """The validation accuracy of each trial at each evaluation, and how the trial ended."""
    complete, pruned, diverged, running = (
        [own for own in _drawn(result, state) if own.curve]
        for state in ("complete", "pruned", "diverged", "running")
    )
    range_ = Range.of(complete, pruned)
    figure = new_figure(_WIDTH, 3.9)
    axes = figure.add_subplot()
    _curves(axes, "pruned", pruned, GREY, end="x", linewidths=0.7, alpha=0.8)
    shades = [range_.color(own) for own in complete[:0:-1]]
    _curves(axes, "complete", complete[:0:-1], shades, linewidths=1.1, zorder=3)
    _curves(axes, "running", running, BLUE, linewidths=1.4, linestyles=":", zorder=3)
    _curves(axes, "diverged", diverged, ORANGE, end="X", linewidths=0.9, zorder=4)
    axes.yaxis.set_major_formatter(_PER_CENT)
    axes.set_xlabel("evaluation")
    axes.set_title("validation accuracy", loc="left", fontsize=9, color=DARK, pad=7)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    _legend(axes, complete, pruned, diverged, running, best=False)
    if complete:
        x, y = zip(*complete[0].curve, strict=True)
        (line,) = axes.plot(x, y, color=_BEST, linewidth=3, zorder=5, marker="o" if len(x) == 1 else None,
                            label=f"trial {complete[0].number}, the best")  # fmt: skip
        mark(line, "best")
    axes.autoscale_view()
    if len(complete) > 1:
        bar = figure.colorbar(ScalarMappable(Normalize(range_.low, range_.high), SHADES), ax=axes,
                              pad=0.01, aspect=30, ticks=range_.ticks(), format=_PER_CENT,
                              extend="min" if range_.cut else "neither")  # fmt: skip
        bar.ax.set_title("trial's accuracy", loc="right", fontsize=9, color=DARK, pad=7)
        bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _drawn(result: StudyResult, state: State) -> list[TrialResult]:
    """The trials of a state: of more than MOST the best third, and the others thinned evenly."""
    own = [trial for trial in result.trials if trial.state == state]
    if len(own) <= MOST:
        return own
    first = MOST // 3
    rest = np.linspace(first, len(own) - 1, MOST - first).round().astype(int)
    return own[:first] + [own[i] for i in rest]


def _lines(
    axes: Axes,
    key: str,
    trials: list[TrialResult],
    scales: dict[str, Scale],
    range_: Range,
    color: Any = None,
    **look: Any,
) -> None:
    """The lines of the parallel axes, the last on top."""
    lines = []
    for own in trials:
        places = [scale.place(own.settings.get(name)) for name, scale in scales.items()]
        if own.accuracy is not None:
            places.append(range_.place(range_.within(own)))
        lines.append(np.column_stack((np.arange(len(places)), places)))
    colors = color or [range_.color(own) for own in trials]
    drawn = LineCollection(lines, colors=colors, joinstyle="round", **look)
    mark(drawn, key)
    axes.add_collection(drawn)


def _head(axes: Axes, x: float, text: str) -> None:
    axes.text(x, 1.05, text, ha="center", va="bottom", weight="bold", fontsize=9)


def _tick(axes: Axes, x: float, y: float, text: str, side: Any) -> None:
    # The white behind it keeps it readable on top of lines.
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.95, "pad": 0.8}
    axes.text(x, y, text, ha=side, va="center", fontsize=8, color="#333", bbox=ground, zorder=5)


def _dots(axes: Axes, places: list[float], complete: list[TrialResult], range_: Range) -> None:
    """Complete trials, the best on top; what is worse than the picture shows lies at its lower edge."""
    for i, (place, own) in enumerate(zip(places[:FEW], complete, strict=False)):
        if own.standard_error and own.accuracy is not None and len(complete) <= FEW:
            ends = own.accuracy - own.standard_error, own.accuracy + own.standard_error
            mark(
                axes.vlines(place, *ends, color=range_.color(own), linewidth=1, zorder=3),
                "complete" if i else "best",
            )
    for shape, below in (("v", True), ("o", False)):
        some = [i for i, own in enumerate(complete) if ((own.accuracy or 0.0) < range_.low) == below][::-1]
        for key, chosen in (("complete", [i for i in some if i]), ("best", [i for i in some if not i])):
            dots = axes.scatter(
                [places[i] for i in chosen], [range_.within(complete[i]) for i in chosen], marker=shape,
                c=[range_.color(complete[i]) for i in chosen], s=22 if key == "complete" else 70,
                edgecolors="white", linewidths=0.5 if len(complete) <= 100 else 0, zorder=4,
            )  # fmt: skip
            mark(dots, key)


def _label_values(axes: Axes, ticks: list[tuple[float, str]], room: int, *, numbers: bool) -> None:
    """Ticks of a small picture, so many characters wide: where labels would touch, of numbers some are left out.

    Those of choices lie aslant there.
    """
    if numbers:
        kept = ticks[:1]
        for place, text in ticks[1:]:
            if (place - kept[-1][0]) * room > (len(text) + len(kept[-1][1])) / 2 + 2:
                kept.append((place, text))
        axes.set_xticks(*zip(*kept, strict=True))
        return
    places, labels = zip(*ticks, strict=True)
    if len(labels) * max(map(len, labels)) <= room:
        axes.set_xticks(places, [wrapped(text, room) for text in labels])
    elif len(labels) < 4:
        axes.set_xticks(places, [wrapped(text, 9, lines=3) for text in labels])
    else:
        aslant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor", "fontsize": 8}
        axes.set_xticks(places, [wrapped(text, 18, lines=1) for text in labels], **aslant)


def _curves(
    axes: Axes, key: str, trials: list[TrialResult], color: Any, *, end: str | None = None, **look: Any
) -> None:
    """The curves of trials, the last on top, and a mark where they end; of one evaluation a dot."""
    lines = LineCollection([np.asarray(own.curve, dtype=np.float64) for own in trials], colors=color, **look)
    mark(lines, key)
    axes.add_collection(lines)
    ends = [i for i, own in enumerate(trials) if end is not None or len(own.curve) == 1]
    if ends:
        colors = [color[i] for i in ends] if isinstance(color, list) else color
        x, y = zip(*(trials[i].curve[-1] for i in ends), strict=True)
        dots = axes.scatter(
            x,
            y,
            marker=end or "o",
            c=colors,
            s=30 if end else 14,
            linewidths=0.9,
            zorder=look.get("zorder", 2),
        )
        mark(dots, key)


def _legend(
    axes: Axes,
    complete: list[TrialResult],
    pruned: list[TrialResult],
    diverged: Sequence[TrialResult] = (),
    running: Sequence[TrialResult] = (),
    *,
    best: bool = True,
) -> None:
    """Entries for the page's legend; what is drawn has the same keys."""
    for key, label, color, there in (
        ("best", "the best", _BEST, complete if best else ()),
        ("complete", "complete, the better the stronger", SHADES(0.5), complete[1:]),
        ("pruned", "pruned, when it was stopped", GREY, pruned),
        ("diverged", "diverged", ORANGE, diverged),
        ("running", "still running", BLUE, running),
    ):
        if there:
            (line,) = axes.plot([], [], color=color, label=label)
            mark(line, key)
