"""Search spaces: which fields of a recipe vary, and over what."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from plaingrad.errors import RecipeError
from plaingrad.recipe import changed
from plaingrad.settings import Recipe

if TYPE_CHECKING:
    from optuna.trial import Trial

METHODS = ("grid", "random", "tpe")
PRUNERS = ("none", "median", "hyperband")
MOST_SETTINGS = 1000  # of a grid, unless the caller has said how many trials are wanted


@dataclass(frozen=True)
class Dimension:
    """One field of a recipe and what it may be.

    kind: "choice" of `options`, or from `low` to `high`, both included: "uniform", "log-uniform" or "integer".
    step: the distance between possible values; `points`: how many of them a grid tries.
    """

    field: str
    kind: Literal["choice", "uniform", "log-uniform", "integer"]
    options: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    points: int | None = None

    @property
    def scale(self) -> Literal["linear", "log", "choice"]:
        """How its axis is best drawn."""
        return "choice" if self.kind == "choice" else "log" if self.log else "linear"

    def suggest(self, trial: Trial) -> Any:
        """The value that Optuna gives this field in a trial."""
        if self.kind == "choice":  # as JSON, since a storage takes no lists
            return json.loads(trial.suggest_categorical(self.field, [json.dumps(v) for v in self.options]))
        if self.kind == "integer":
            return trial.suggest_int(
                self.field, int(self.low), int(self.high), step=int(self.step or 1), log=self.log
            )
        return trial.suggest_float(self.field, self.low, self.high, step=self.step, log=self.log)

    def stored(self, value: Any) -> Any:
        """A value as Optuna keeps it."""
        return json.dumps(value) if self.kind == "choice" else value

    def value(self, stored: Any) -> Any:
        """What `stored` gave, back."""
        return json.loads(stored) if self.kind == "choice" else stored

    def grid(self) -> list[Any]:
        """The values that a grid tries.  Raises RecipeError for a range that does not say how many."""
        if self.kind == "choice":
            return list(self.options)
        if self.points is None and self.step is not None:
            low, step = Decimal(str(self.low)), Decimal(str(self.step))  # so that 3 · 0.1 is 0.3
            return [type(self.high)(low + i * step) for i in range(self.count())]
        if self.points is None:
            raise RecipeError(
                f"{self.field}: a grid needs to know how many values of a range to try: add points = 5, write a "
                "list, or search with method random or tpe"
            )
        if self.points == 1:
            return [self.low]
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        places = [low + (high - low) * i / (self.points - 1) for i in range(self.points)]
        values = [math.exp(place) if self.log else place for place in places]
        if self.kind != "integer":
            # 0.001, not 0.0010000000000000002
            return [min(max(float(f"{v:.12g}"), self.low), self.high) for v in values]
        return list(dict.fromkeys(round(v) for v in values))

    def count(self) -> int:
        """How many values a grid tries; no list is made of a range in steps, which may have too many."""
        if self.points is None and self.step is not None:
            return round((self.high - self.low) / self.step) + 1
        return len(self.grid())


@dataclass(frozen=True)
class Space:
    """The fields that vary, those that are fixed, and how the file says they are best searched.

    source: where it came from, for error messages.  `recipe`, `method`, `prune`, `trials` and `seeds` are None
    where the file leaves them to the caller.
    """

    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    source: str = "space"
    description: str = ""
    recipe: str | None = None
    method: str | None = None
    prune: str | None = None
    trials: int | None = None
    seeds: int | None = None

    @property
    def scales(self) -> dict[str, Literal["linear", "log", "choice"]]:
        """For each field how its axis is best drawn."""
        return {own.field: own.scale for own in self.dimensions}

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """The setting that Optuna chooses for a trial."""
        return {own.field: own.suggest(trial) for own in self.dimensions}

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every setting of the grid, the last field changing fastest."""
        names = [own.field for own in self.dimensions]
        for values in itertools.product(*(own.grid() for own in self.dimensions)):
            yield dict(zip(names, values, strict=True))

    def grid_shape(self) -> tuple[int, ...]:
        """How many values each field has in the grid."""
        return tuple(own.count() for own in self.dimensions)

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with this space's fixed fields.

        Raises RecipeError if they, or any value of a field that varies, do not fit it.
        """
        base = changed(recipe, self.fixed, f"{self.source}, [fixed]") if self.fixed else recipe
        # Fields that need each other may fit beside the first values of the others, or beside the last.
        beside = [{}, *({own.field: _extremes(own)[end] for own in self.dimensions} for end in (0, -1))]
        for own in self.dimensions:
            for value in _extremes(own):
                source = f"{self.source}, {own.field} = {json.dumps(value)}"
                problems = [_problem(base, others | {own.field: value}, source) for others in beside]
                if problems[0] is not None and all(problems):
                    raise problems[0]
        return base

    def to_table(self) -> dict[str, Any]:
        """The space as the tables of its file."""
        told = ("description", "recipe", "method", "prune", "trials", "seeds")
        table = {name: getattr(self, name) for name in told if getattr(self, name)}
        table |= {"fixed": dict(self.fixed)} if self.fixed else {}
        return table | {"space": {own.field: _written(own) for own in self.dimensions}}


def _problem(recipe: Recipe, values: Mapping[str, Any], source: str) -> RecipeError | None:
    """What is wrong with a recipe with these values."""
    try:
        changed(recipe, values, source)
    except RecipeError as error:
        return error
    return None


def _extremes(own: Dimension) -> list[Any]:
    """The values at which a recipe would refuse a field if at any."""
    if own.kind == "choice":
        return list(own.options)
    return [int(own.low), int(own.high)] if own.kind == "integer" else [float(own.low), float(own.high)]


def _written(own: Dimension) -> Any:
    if own.kind == "choice":  # a table like the others, as TOML writes tables after lists, and order matters
        return {"choice": list(own.options)}
    table: dict[str, Any] = {own.kind: [own.low, own.high]}
    if own.step is not None:
        table["step"] = own.step
    if own.points is not None:
        table["points"] = own.points
    return table | ({"log": True} if own.log and own.kind == "integer" else {})
