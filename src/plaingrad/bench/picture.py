"""The picture of a benchmark: for each workload a bar of milliseconds a step for each contender."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from plaingrad.bench.outcome import Outcome, three_digits
from plaingrad.plots.style import BLUE, GREY, ORANGE

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": "#888",
    "axes.labelcolor": "#444",
    "xtick.color": "#444",
    "ytick.color": "#222",
    "svg.hashsalt": "plaingrad",  # the same numbers give the same bytes
    "svg.fonttype": "path",
}
_BAR = 0.24  # inches
_FRAME = 1.0  # inches of a panel's title, ticks and label
_NOTE = 0.5
_LINEAR_UP_TO = 12.0  # if the slowest takes so many times as long as the fastest, the axis is logarithmic


def bars(outcomes: Sequence[Outcome], where: str = "", *, format: str = "svg") -> bytes:
    """A panel for each workload, the fastest on top; plaingrad blue, PyTorch's best orange.

    where: what was measured on, for the line below.
    """
    columns = 1 if len(outcomes) == 1 else 2
    rows = max(1, math.ceil(len(outcomes) / columns))
    most = [
        max((len(o.results) for o in outcomes[row * columns : (row + 1) * columns]), default=1)
        for row in range(rows)
    ]
    heights = [_FRAME + _BAR * bars for bars in most]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(
            figsize=(6.6 * columns, sum(heights) + _NOTE), layout=ConstrainedLayoutEngine(w_pad=0.12)
        )
        above, below = figure.subfigures(2, 1, height_ratios=[sum(heights), _NOTE], squeeze=False).flat
        panels = above.subfigures(rows, columns, height_ratios=heights, squeeze=False)
        for i, outcome in enumerate(outcomes):
            row, column = divmod(i, columns)
            _panel(panels[row, column], outcome, most[row])
        below.text(0.012, 0.5, _note(outcomes, where), va="center", fontsize=8, color="#444")
        out = io.BytesIO()
        figure.savefig(out, format=format, dpi=110, metadata={"Date": None} if format == "svg" else None)
    return out.getvalue()


def _note(outcomes: Sequence[Outcome], where: str) -> str:
    rounds = " or ".join(map(str, sorted({outcome.rounds for outcome in outcomes})))
    colours = "Blue: plaingrad."
    if any(outcome.best_of_pytorch for outcome in outcomes):
        colours += "  Orange: PyTorch in its fastest setting."
    return (
        f"{where}Medians of {rounds} rounds, and a line from the fastest to the slowest.\n"
        f"×: time divided by plaingrad's.  {colours}"
    )


def _panel(panel: SubFigure, outcome: Outcome, places: int) -> None:
    axes = panel.add_subplot()
    title = f"{outcome.workload.id}: {outcome.workload.title}{', machine busy' if outcome.busy else ''}"
    panel.suptitle(title, x=0.02, ha="left", fontsize=10, fontweight="bold")
    results = sorted(outcome.results, key=lambda result: result.median_ms)
    best = outcome.best_of_pytorch
    medians = [result.median_ms for result in results]
    colours = [
        BLUE if result.library == "plaingrad" else ORANGE if result is best else GREY for result in results
    ]
    axes.barh(range(len(results)), medians, height=0.72, color=colours)
    fastest, slowest = [min(result.ms) for result in results], [max(result.ms) for result in results]
    axes.hlines(range(len(results)), fastest, slowest, color="#222", linewidth=0.9)
    axes.set_yticks(range(len(results)), [result.name for result in results])
    for y, (result, label) in enumerate(zip(results, axes.get_yticklabels(), strict=True)):
        weight = "bold" if result is outcome.ours else "normal"
        label.set_fontweight(weight)
        for points, text in ((34, three_digits(result.median_ms)), (72, f"{three_digits(result.ratio)}×")):
            axes.annotate(
                text,
                (1, y),
                xycoords=axes.get_yaxis_transform(),
                xytext=(points, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontweight=weight,
            )
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(places - 0.4, -0.6)  # as many places in each panel of a row: bars are equally thick
    logarithmic = medians[-1] > _LINEAR_UP_TO * medians[0]
    if logarithmic:
        low = 0.5 * min(fastest)
        axes.set(xscale="log", xlim=(low, 1.1 * max(slowest)))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(slowest) / low < 100 else (1,)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, 1.03 * max(slowest))
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_xlabel("milliseconds a step" + (", logarithmic" if logarithmic else ""))
