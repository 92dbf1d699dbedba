"""What goes on in each layer while a network trains: small multiples, a row for each layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plaingrad.errors import DataError, RunError
from plaingrad.history import History
from plaingrad.insight.doctor.evidence import Look
from plaingrad.insight.doctor.notes import from_line
from plaingrad.insight.facts import LayerFacts, ParameterFacts
from plaingrad.plots.progress import run_folder
from plaingrad.plots.style import (
    BLUE,
    DARK,
    FAINT,
    GREY,
    ORANGE,
    mark,
    new_figure,
    short_number,
    shortened,
    styled,
)
from plaingrad.plots.thinning import thinned

Array = np.ndarray

_WIDTH = 7.2  # inches: a page shows this figure wider than others
_ROW = 0.25
_BAND = 0.66  # of a row, that its curve may fill
_POINTS = 80  # of a curve that is an inch wide
_FEW = 4  # fewer looks than these are no course, and shown as dots alone
_DOTS = 12  # fewer are shown as dots on their line
_SEEN = 0.005  # a share that is less at all looks is none
_MANY = 12  # layers; of more those are left out that only hand on what they are given
_HANDING_ON = frozenset({"flatten", "maxpool", "avgpool", "globalavgpool", "dropout"})


class _Seen(NamedTuple):
    """A look, by the names of the layers: what each puts out, and the largest of its parameters."""

    step: int
    layers: dict[str, LayerFacts]
    weights: dict[str, ParameterFacts]

    @classmethod
    def of(cls, look: Look) -> _Seen:
        by_size = sorted(look.parameters, key=lambda own: own.size, reverse=True)
        return cls(
            look.step,
            {own.name: own for own in reversed(look.layers)},  # of a layer that runs twice, its first run
            {own.name.rpartition(".")[0]: own for own in reversed(by_size)},
        )


class _Column(NamedTuple):
    """A quantity: what it is called, where it is found, and whether equal steps are equal factors."""

    title: str
    value: Callable[[LayerFacts, ParameterFacts | None], float | None]
    factors: bool
    text: Callable[[float], str]


@styled
def layers(looks: Any, *, steps: int | None = None) -> Figure:
    """What each layer puts out, and what comes back to it, from the first look of a watch to the last.

    looks: a sequence of Look, or a run folder, its path, a Result or a History.  steps: how many the run has,
    where the looks alone do not tell.  A row for each layer (of more than 12, for those that have parameters,
    activate or normalise); in each column all rows have one scale.  The columns: the standard deviation of the
    outputs; the share of outputs that are 0 (of a sigmoid or tanh: that are saturated) and, in orange, of units
    that are 0 for every sample; the gradient of the loss with respect to the outputs, root mean square; the length
    of the last update of the weights relative to theirs.  The number is the last value, of the updates the
    median.  Fewer than 4 values are dots.  Raises DataError if no look saw a layer, RunError if `looks` is
    none of these.
    """
    looks, known = _looks(looks)
    seen = [_Seen.of(look) for look in looks]
    kinds = {own.name: own.kind for look in looks for own in look.layers}
    if not kinds:
        raise DataError(
            "no layer was watched: train a Network, and with the watch on (it is, unless train was told otherwise)"
        )
    if len(kinds) > _MANY:
        kinds = {name: kind for name, kind in kinds.items() if kind not in _HANDING_ON} or kinds
    names = [*kinds]
    last = max(steps or known, looks[-1].step, 1)
    columns = [column for column in _COLUMNS if any(_curve(seen, name, column).size for name in names)]
    columns = columns or [_COLUMNS[0]]  # of a network that puts out nothing but 0
    figure = new_figure(_WIDTH, 0.75 + _ROW * len(names))
    grid = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, column in zip(grid, columns, strict=True):
        _draw(axes, column, seen, names, last)
        axes.set(ylim=(len(names) - 0.4, -0.6), yticks=[])
    grid[0].set_yticks(range(len(names)), [shortened(name, 18) for name in names], fontsize=8)
    grid[0].set_xlabel("step", fontsize=8, loc="left")
    return figure


def _draw(axes: Axes, column: _Column, looks: Sequence[_Seen], names: Sequence[str], last: int) -> None:
    axes.set_title(column.title, loc="left", fontsize=8, color=DARK, pad=6)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlim(-0.02 * last, 1.8 * last)  # to the right the numbers
    axes.set_xticks([0, last], ["0", f"{last:,}"], fontsize=8)
    axes.get_xticklabels()[-1].set_horizontalalignment("center")
    rows = _draw_curves(axes, column, looks, names, BLUE)
    axes.hlines([row + _BAND / 2 for row in rows], 0, last, color=FAINT, linewidth=0.6, zorder=1)
    for row, values in rows.items():
        axes.annotate(_told(column, values), (last, row), xytext=(6, 0), textcoords="offset points",
                      fontsize=8, color=DARK, va="center", in_layout=False)  # fmt: skip
    if column is _ZEROS and _draw_curves(axes, _DEAD, looks, names, ORANGE):
        axes.set_xlabel("orange: dead units", fontsize=8, loc="left", color="#a94600")
    elif column is _UPDATES:
        axes.set_xlabel("number: median", fontsize=8, loc="left")


def _draw_curves(
    axes: Axes, column: _Column, looks: Sequence[_Seen], names: Sequence[str], color: str
) -> dict[int, Array]:
    """The curve of each layer in its row, all on the column's one scale, with a dot at its end; their values by row."""
    curves = {row: _curve(looks, name, column) for row, name in enumerate(names)}
    curves = {row: values for row, values in curves.items() if values.size}
    low, high = _range(column, curves.values())
    steps = np.array([look.step for look in looks], dtype=np.float64)
    ends: list[tuple[float, float]] = []
    for row, values in curves.items():
        places = row + _BAND / 2 - _BAND * (_scaled(column, values) - low) / (high - low)
        there = np.flatnonzero(np.isfinite(places))
        kept = thinned(places, _POINTS)
        look: dict[str, Any] = {
            "linewidth": 1.0,
            "marker": "o" if len(there) < _DOTS else None,
            "markersize": 2.2,
        }
        if len(there) < _FEW:
            axes.plot(steps[there], places[there], color=GREY, linewidth=0.5, zorder=1)
            look["linestyle"] = "none"
        (line,) = axes.plot(steps[kept], places[kept], color=color, label=shortened(names[row], 40), **look)
        if column is not _DEAD:  # which shares its place with another
            mark(line, f"layer-{row}", values[kept])
        ends += [(float(steps[own]), float(places[own])) for own in there[-1:]]
    if ends:
        axes.plot(*zip(*ends, strict=True), "o", color=color, markersize=2.2)
    return curves


def _told(column: _Column, values: Array) -> str:
    """The number beside a curve: its last value, or the median of what changes by the schedule."""
    measured = values[~np.isnan(values)]
    if np.isinf(measured[-1]):
        return "not finite"
    if column is _UPDATES:
        done = np.trim_zeros(measured, "f")  # before the first update it is 0
        return column.text(float(np.median(done[np.isfinite(done)])))
    return column.text(float(measured[-1]))


def _curve(looks: Sequence[_Seen], name: str, column: _Column) -> Array:
    """The values of a layer at each look, NaN where there is none, infinite where it was not finite.

    (0,) if there is nothing to see at any.
    """
    found: list[float] = []
    for look in looks:
        layer = look.layers.get(name)
        value = column.value(layer, look.weights.get(name)) if layer else None
        found.append(math.nan if value is None else value if math.isfinite(value) else math.inf)
    values = np.array(found, dtype=np.float64)
    seen = values > 0 if column.factors else np.isfinite(values) & (values > _SEEN)
    return values if seen.any() else np.empty(0)


def _scaled(column: _Column, values: Array) -> Array:
    """Values, or their logarithms; what has none, a 0 or what is not finite, is a gap."""
    values = np.where(np.isfinite(values), values, np.nan)
    if not column.factors:
        return values
    return np.log10(np.where(values > 0, values, np.nan))


def _range(column: _Column, curves: Iterable[Array]) -> tuple[float, float]:
    """The lowest and highest place of a column, at least a factor of ten or the whole of a share."""
    if not column.factors:
        return 0.0, 1.0
    places = np.concatenate([np.empty(0), *(_scaled(column, values) for values in curves)])
    places = places[np.isfinite(places)]
    low, high = (float(places.min()), float(places.max())) if len(places) else (0.0, 1.0)
    spare = max(0.0, 1 - (high - low)) / 2
    return low - spare, high + spare


def _looks(looks: Any) -> tuple[list[Look], int]:
    """The looks, and how many steps are known of."""
    if (
        isinstance(looks, Sequence)
        and not isinstance(looks, str)
        and all(isinstance(own, Look) for own in looks)
    ):
        return list(looks), 0
    history = looks if isinstance(looks, History) else run_folder(looks).history()
    found: dict[int, Look] = {}
    for line in history.seen:
        if line["type"] == "look":
            try:
                found[line["step"]] = from_line(line).what  # type: ignore[assignment]
            except ValueError as error:
                raise RunError(f"what the history says of step {line['step']} is damaged: {error}") from None
    return [look for _, look in sorted(found.items())], len(history.losses)


def _number(value: float) -> str:
    return short_number(value, 2)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if value >= 0.01 or not value else f"{100 * value:.1g} %"


def _relative(_: LayerFacts, weight: ParameterFacts | None) -> float | None:
    """The last update of the weights relative to them; None where there are none, or nothing but 0."""
    return None if weight is None or weight.norm == 0 else weight.update / weight.norm


def _silent(layer: LayerFacts, _: ParameterFacts | None) -> float:
    """The share of outputs that are 0, or saturated."""
    return math.inf if not layer.finite else layer.zero if layer.saturated is None else layer.saturated


_ZEROS = _Column("zero / saturated", _silent, False, _share)
_DEAD = _Column("dead", lambda layer, _: layer.dead if layer.finite else math.inf, False, _share)
_UPDATES = _Column("update / weights", _relative, True, _number)
_COLUMNS = (
    _Column("standard deviation", lambda layer, _: layer.std if layer.finite else math.inf, True, _number),
    _ZEROS,
    _Column("gradient size", lambda layer, _: layer.gradient, True, _number),
    _UPDATES,
)
