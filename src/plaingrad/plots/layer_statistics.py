"""What goes on in each layer while a network trains: small multiples, a row for each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    ORANGE,
    mark,
    new_figure,
    short_number,
    shortened,
    styled,
)
from plaingrad.plots.thinning import thinned

Array = np.ndarray

_ROW = 0.25  # inches
_BAND = 0.66  # of a row, that its curve may fill
_POINTS = 80  # of a curve that is an inch wide


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
def layers(looks: Any, *, legend: bool = True) -> Figure:
    """What each layer puts out, and what comes back to it, from the first look of a watch to the last.

    looks: a sequence of Look, or a run folder, its path, a Result or a History.  A row for each layer; in
    each column all rows have one scale.  The columns: the standard deviation of the outputs; the share of
    outputs that are 0 (of a sigmoid or tanh: that are saturated) and, in orange, of units that are 0 for
    every sample; the gradient of the loss with respect to the outputs, root mean square; the length of the
    last update of the weights relative to theirs.  The number is the last value; the legend says what is
    orange.  Raises DataError if no
    look saw a layer, RunError if `looks` is none of these.
    """
    looks = _looks(looks)
    seen = [_Seen.of(look) for look in looks]
    names = list(dict.fromkeys(own.name for look in looks for own in look.layers))
    if not names:
        raise DataError(
            "no layer was watched: train a Network, and with the watch on (it is, unless train was told otherwise)"
        )
    columns = [column for column in _COLUMNS if any(_curve(seen, name, column).size for name in names)]
    columns = columns or [_COLUMNS[0]]  # of a network that puts out nothing but 0
    figure = new_figure(1.1 + 1.05 * len(columns), 0.75 + _ROW * len(names))
    grid = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, column in zip(grid, columns, strict=True):
        _draw(axes, column, seen, names)
        axes.set(ylim=(len(names) - 0.4, -0.6), yticks=[])
        if column is _ZEROS and _draw_curves(axes, _DEAD, seen, names, ORANGE) and legend:
            axes.set_xlabel("dead units", fontsize=8, loc="left", color=ORANGE)
    grid[0].set_yticks(range(len(names)), [shortened(name, 18) for name in names], fontsize=8)
    return figure


def _draw(axes: Axes, column: _Column, looks: Sequence[_Seen], names: Sequence[str]) -> None:
    axes.set_title(column.title, loc="left", fontsize=8, color=DARK, pad=6)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    _draw_curves(axes, column, looks, names, BLUE)
    start, end = looks[0].step, max(looks[-1].step, looks[0].step + 1)
    axes.set_xlim(start - 0.02 * (end - start), start + 1.75 * (end - start))  # to the right the last value
    axes.set_xticks([start, end], [f"{start:,}", f"{end:,}"], fontsize=8)
    axes.get_xticklabels()[-1].set_horizontalalignment("center")
    if column is _COLUMNS[0]:
        axes.set_xlabel("step", fontsize=8, loc="left")


def _draw_curves(
    axes: Axes, column: _Column, looks: Sequence[_Seen], names: Sequence[str], color: str
) -> bool:
    """The curve of each layer in its row, all on the column's one scale, and where it ends; whether any is drawn."""
    curves = [(row, _curve(looks, name, column)) for row, name in enumerate(names)]
    curves = [(row, values) for row, values in curves if values.size]
    low, high = _range(column, [values for _, values in curves])
    steps = np.array([look.step for look in looks], dtype=np.float64)
    end = max(steps[-1], steps[0] + 1)
    ends: list[tuple[float, float]] = []
    for row, values in curves:
        places = row + _BAND / 2 - _BAND * (_scaled(column, values) - low) / (high - low)
        kept = thinned(places, _POINTS)
        (line,) = axes.plot(
            steps[kept], places[kept], color=color, linewidth=1.0, label=shortened(names[row], 40)
        )
        if column is not _DEAD:  # which shares its place with another
            mark(line, f"layer-{row}", values[kept])
        last = np.flatnonzero(np.isfinite(values))[-1]
        ends.append((float(steps[last]), float(places[last])))
        if column is not _DEAD:
            axes.annotate(column.text(float(values[last])), (end, row), xytext=(6, 0), fontsize=8, color=DARK,
                          textcoords="offset points", va="center", in_layout=False)  # fmt: skip
    if ends:
        axes.plot(*zip(*ends, strict=True), "o", color=color, markersize=2.2)
    if column is not _DEAD:
        axes.hlines(
            [row + _BAND / 2 for row, _ in curves], steps[0], end, color=FAINT, linewidth=0.6, zorder=1
        )
    return bool(curves)


def _curve(looks: Sequence[_Seen], name: str, column: _Column) -> Array:
    """The values of a layer at each look, NaN where there is none; (0,) if there is nothing to see at any."""
    found: list[float] = []
    for look in looks:
        layer = look.layers.get(name)
        value = column.value(layer, look.weights.get(name)) if layer else None
        found.append(np.nan if value is None else value)
    values = np.array(found, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values if (values > 0).any() else np.empty(0)


def _scaled(column: _Column, values: Array) -> Array:
    """Values, or their logarithms; what has none, a 0, is a gap."""
    if not column.factors:
        return values
    return np.log10(np.where(values > 0, values, np.nan))


def _range(column: _Column, curves: Sequence[Array]) -> tuple[float, float]:
    """The lowest and highest place of a column, at least a factor of ten or the whole of a share."""
    if not column.factors:
        return 0.0, 1.0
    places = np.concatenate([np.empty(0), *(_scaled(column, values) for values in curves)])
    places = places[np.isfinite(places)]
    low, high = (float(places.min()), float(places.max())) if len(places) else (0.0, 1.0)
    spare = max(0.0, 1 - (high - low)) / 2
    return low - spare, high + spare


def _looks(looks: Any) -> list[Look]:
    if (
        isinstance(looks, Sequence)
        and not isinstance(looks, str)
        and all(isinstance(own, Look) for own in looks)
    ):
        return list(looks)
    history = looks if isinstance(looks, History) else run_folder(looks).history()
    found: dict[int, Look] = {}
    for line in history.seen:
        if line["type"] == "look":
            try:
                found[line["step"]] = from_line(line).what  # type: ignore[assignment]
            except ValueError as error:
                raise RunError(f"what the history says of step {line['step']} is damaged: {error}") from None
    return [look for _, look in sorted(found.items())]


def _number(value: float) -> str:
    """Short, for the next column is near: 9.7e-4 rather than 0.00097."""
    if 0 < value < 1e-3:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits}e{int(power)}"
    return short_number(value, 2 if value < 1 else 3)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if value >= 0.01 or not value else f"{100 * value:.1g} %"


_ZEROS = _Column(
    "zero / saturated",
    lambda layer, _: layer.zero if layer.saturated is None else layer.saturated,
    False,
    _share,
)
_DEAD = _Column("dead", lambda layer, _: layer.dead, False, _share)
_COLUMNS = (
    _Column("spread of outputs", lambda layer, _: layer.std, True, _number),
    _ZEROS,
    _Column("gradient", lambda layer, _: layer.gradient, True, _number),
    _Column(
        "update / weights",
        lambda _, weight: weight.update / weight.norm if weight and weight.norm > 0 else None,
        True,
        _number,
    ),
)
