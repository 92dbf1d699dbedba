"""The pictures of a study, each drawn on a matplotlib Figure and returned as the bytes of an SVG file."""

from __future__ import annotations

import math
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from plaingrad.report.figures import BLUE, GREY, ORANGE, STYLE, new_axes, to_svg
from plaingrad.search.results import State, StudyResult, TrialResult
from plaingrad.search.scales import FEW, SHADES, Range, Scale, percent, wrapped
from plaingrad.search.table import short_names

MOST = 500  # trials of a state that are drawn: more could not be told apart

# No name from outside is taken as a formula.
_PLAIN: dict[Any, Any] = STYLE | {"text.parse_math": False}
_BEST = SHADES(1.0)
_WIDTH = 10.4  # inches: as wide as the page
_PER_CENT = FuncFormatter(lambda value, _: percent(value))


def parallel(result: StudyResult) -> bytes:
    """A line for each trial, through its value on the axis of each field to its accuracy on the last."""
    complete, pruned = _drawn(result, "complete"), _drawn(result, "pruned")
    range_ = Range.of(complete, pruned)
    scales = {name: Scale(kind, result.trials, name) for name, kind in result.scales.items()}
    names = short_names(scales)
    room = 16 if len(scales) < 6 else 11
    with matplotlib.rc_context(_PLAIN):
        figure = Figure(figsize=(_WIDTH, 4.4), layout="constrained")
        axes = figure.add_subplot()
        axes.set_axis_off()
        many = len(complete) > 100
        _lines(axes, pruned, scales, range_, GREY, linewidths=0.6, alpha=0.6, linestyles=[(0, (4, 3))])
        _lines(
            axes, complete[:0:-1], scales, range_, linewidths=0.7 if many else 1.1, alpha=0.5 if many else 0.9
        )
        _lines(axes, complete[:1], scales, range_, linewidths=3.2)
        for x, (name, scale) in enumerate(scales.items()):
            axes.plot((x, x), (0, 1), color="#666", linewidth=1)
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
            _tick(axes, last + 0.05, 0, f"≤ {percent(range_.low)}", "left")
        axes.set(xlim=(-0.5, last + 0.45), ylim=(-0.03, 1.03))
        return to_svg(figure)


def against(result: StudyResult) -> bytes:
    """A small picture for each field: the accuracy of each trial against its value."""
    complete, pruned, diverged = (_drawn(result, state) for state in ("complete", "pruned", "diverged"))
    range_ = Range.of(complete, pruned)
    count = len(result.scales)
    names = short_names(result.scales)
    across = count if count < 4 else 3 if count in (5, 6, 9) else 4
    down = math.ceil(count / across)
    with matplotlib.rc_context(_PLAIN):
        figure = Figure(figsize=(_WIDTH if count > 1 else 6.2, 0.4 + 2.6 * down), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False, sharey=True)
        for axes in grid.flat[count:]:
            axes.remove()
        for axes, (name, kind) in zip(grid.flat, result.scales.items(), strict=False):
            scale = Scale(kind, result.trials, name)
            some = [own for own in pruned if own.accuracy is not None]
            stopped = [scale.place(own.settings.get(name)) for own in some]
            axes.plot(stopped, [range_.within(own) for own in some], "x", color=GREY, markersize=4)
            _dots(axes, [scale.place(own.settings.get(name)) for own in complete], complete, range_)
            ended = [scale.place(own.settings.get(name)) for own in diverged]
            axes.plot(ended, [0.03] * len(ended), "|", color=ORANGE, markersize=10, markeredgewidth=1.8,
                      transform=axes.get_xaxis_transform())  # fmt: skip
            _label_values(axes, scale.ticks(), room=110 // across)
            axes.set_xlabel(wrapped(names[name], 26), weight="bold")
            axes.set_xlim(-0.09, 1.09)
        margin = 0.07 * (range_.high - range_.low)
        above = (complete[0].standard_error or 0) * 1.1 if 0 < len(complete) <= FEW else 0
        grid[0, 0].set_ylim(range_.low - margin, range_.high + max(margin, above))
        grid[0, 0].yaxis.set_major_formatter(_PER_CENT)
        for axes in grid[:, 0]:
            axes.set_ylabel("validation accuracy")
        if range_.cut:
            grid[0, 0].set_yticks(range_.ticks())
        _legend(figure, {
            "complete, the better the darker": complete[1:] and {"marker": "o", "color": SHADES(0.5)},
            "the best": complete and {"marker": "o", "color": _BEST, "markersize": 9},
            "pruned, when it was stopped": pruned and {"marker": "x", "color": GREY},
            "diverged": diverged and {"marker": "|", "color": ORANGE, "markersize": 10, "markeredgewidth": 1.8},
        })  # fmt: skip
        return to_svg(figure)


def importance(result: StudyResult) -> bytes:
    """How much of the difference between good and other settings each field explains, most first."""
    shares = dict(sorted(result.importance.items(), key=lambda item: -item[1]))
    names = short_names(shares)
    with matplotlib.rc_context(_PLAIN):
        figure = Figure(figsize=(6.2, 0.4 + 0.36 * len(shares)), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(False)
        bars = axes.barh(range(len(shares)), list(shares.values()), color=BLUE, height=0.66)
        axes.bar_label(bars, [f"{100 * share:.0f} %" for share in shares.values()], padding=4, color="#444")
        axes.set_yticks(range(len(shares)), [wrapped(names[name], 30) for name in shares])
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(NullLocator())
        axes.spines.bottom.set_visible(False)
        axes.tick_params(length=0)
        axes.margins(x=0.12)
        return to_svg(figure)


def curves(result: StudyResult) -> bytes:
    """The validation accuracy of each trial at each evaluation, and how the trial ended."""
    complete, pruned, diverged, running = (
        [own for own in _drawn(result, state) if own.curve]
        for state in ("complete", "pruned", "diverged", "running")
    )
    range_ = Range.of(complete, pruned)
    with matplotlib.rc_context(_PLAIN):
        figure, axes = new_axes("evaluation", "validation accuracy")
        figure.set_size_inches(_WIDTH, 4.4)
        for own in pruned:
            _curve(axes, own, end="x", color=GREY, linewidth=0.7, alpha=0.8)
        for own in reversed(complete):
            best = own is result.best
            _curve(axes, own, color=range_.color(own), linewidth=3.2 if best else 1.1, zorder=3)
        for own in running:
            _curve(axes, own, color=BLUE, linewidth=1.4, linestyle=":", zorder=3)
        for own in diverged:
            _curve(axes, own, end="X", color=ORANGE, linewidth=0.9, zorder=4)
        axes.yaxis.set_major_formatter(_PER_CENT)
        _legend(figure, {
            "the best": complete and {"linestyle": "-", "color": _BEST, "linewidth": 3.2},
            "complete, the better the darker": complete[1:] and {"linestyle": "-", "color": SHADES(0.5)},
            "pruned": pruned and {"marker": "x", "linestyle": "-", "color": GREY, "linewidth": 0.7},
            "diverged": diverged and {"marker": "X", "linestyle": "-", "color": ORANGE, "linewidth": 0.9},
            "still running": running and {"linestyle": ":", "color": BLUE},
        })  # fmt: skip
        if len(complete) > 1:
            bar = figure.colorbar(ScalarMappable(Normalize(range_.low, range_.high), SHADES), ax=axes,
                                  pad=0.01, aspect=30, ticks=range_.ticks(), format=_PER_CENT,
                                  extend="min" if range_.cut else "neither")  # fmt: skip
            bar.set_label("accuracy of the trial")
            bar.outline.set_visible(False)  # type: ignore[operator]
        return to_svg(figure)


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
    axes.add_collection(LineCollection(lines, colors=colors, joinstyle="round", **look))


def _head(axes: Axes, x: float, text: str) -> None:
    axes.text(x, 1.05, text, ha="center", va="bottom", weight="bold", fontsize=9)


def _tick(axes: Axes, x: float, y: float, text: str, side: Any) -> None:
    # The white behind it keeps it readable on top of lines.
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.95, "pad": 0.8}
    axes.text(x, y, text, ha=side, va="center", fontsize=8, color="#333", bbox=ground, zorder=5)


def _dots(axes: Axes, places: list[float], complete: list[TrialResult], range_: Range) -> None:
    """Complete trials, the best on top; what is worse than the picture shows lies at its lower edge."""
    for place, own in zip(places[:FEW], complete, strict=False):
        if own.standard_error and own.accuracy is not None and len(complete) <= FEW:
            ends = own.accuracy - own.standard_error, own.accuracy + own.standard_error
            axes.plot((place, place), ends, color=range_.color(own), linewidth=1, zorder=3)
    for mark, below in (("v", True), ("o", False)):
        some = [i for i, own in enumerate(complete) if ((own.accuracy or 0.0) < range_.low) == below][::-1]
        axes.scatter(
            [places[i] for i in some], [range_.within(complete[i]) for i in some], marker=mark,
            c=[range_.color(complete[i]) for i in some], s=[70 if i == 0 else 22 for i in some],
            edgecolors="white", linewidths=0.5 if len(complete) <= 100 else 0, zorder=4,
        )  # fmt: skip


def _label_values(axes: Axes, ticks: list[tuple[float, str]], room: int) -> None:
    """Ticks of a small picture, whose labels lie aslant if they would not stand side by side."""
    places, labels = zip(*ticks, strict=True)
    if len(labels) * max(map(len, labels)) <= room:
        axes.set_xticks(places, [wrapped(text, room) for text in labels])
    elif len(labels) < 4:
        axes.set_xticks(places, [wrapped(text, 9, lines=3) for text in labels])
    else:
        aslant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor", "fontsize": 8}
        axes.set_xticks(places, [wrapped(text, 18, lines=1) for text in labels], **aslant)


def _curve(axes: Axes, own: TrialResult, *, end: str | None = None, **look: Any) -> None:
    evaluations, accuracies = zip(*own.curve, strict=True)
    alone = "o" if len(evaluations) == 1 and end is None else None
    axes.plot(evaluations, accuracies, marker=alone, markersize=4, **look)
    if end is not None:
        axes.plot(evaluations[-1:], accuracies[-1:], end, markersize=6, **look)


def _legend(figure: Figure, entries: dict[str, Any]) -> None:
    """Above the picture; an entry without a look is left out."""
    lines = [
        Line2D([], [], label=label, **{"linestyle": "", **look}) for label, look in entries.items() if look
    ]
    if lines:
        figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), frameon=False)
