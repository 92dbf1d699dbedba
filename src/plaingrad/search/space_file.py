"""Spaces as TOML files, read into checked values.


    recipe = "two-layer"                                   # what the command line need not say then
    method = "random"

    [fixed]                                                # the same in every trial
    data.train = 19000

    [space]
    network.hidden = [100, 150]                            # a choice
    network.dropout = { uniform = [0.0, 0.5] }
    optimizer.lr = { log-uniform = [1e-5, 1e-2] }          # in a grid with points = 4
    training.batch_size = { integer = [50, 500], step = 50 }

Built-in spaces lie in `spaces/` and have names.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from plaingrad.errors import RecipeError, suggestion
from plaingrad.recipe import named_table
from plaingrad.search.space import METHODS, MOST_SETTINGS, PRUNERS, Dimension, Space

_KINDS = ("choice", "uniform", "log-uniform", "integer")
_OPTIONS = {
    "choice": (),
    "uniform": ("step", "points"),
    "log-uniform": ("points",),
    "integer": ("step", "points", "log"),
}
_LARGEST = 1e300  # what is larger no longer fits into a float, or its square does not
_MISSPELT = ("choices", "log_uniform", "loguniform", "int", "low", "high", "min", "max")
# Every trial must be judged on the same validation samples, and seeds and names are not hyperparameters.
_NOT_SEARCHED = ("name", "description", "seed", "data.name", "data.path", "data.train", "data.validation")


def read_space(name_or_path: str | Path) -> Space:
    """The space of that name, or in that file.  Raises RecipeError naming the file and the field."""
    return space_of(*named_table(name_or_path, "space"))


def space_of(table: Mapping[str, Any], source: str = "space") -> Space:
    """A space from the tables of its file.  Raises RecipeError naming `source` and the field."""
    try:
        return _space(dict(table), source)
    except RecipeError as error:
        raise RecipeError(f"{source}: {error}") from None
    except RecursionError:
        raise RecipeError(f"{source} is nested too deeply to be a space") from None


def _space(table: dict[str, Any], source: str) -> Space:
    fields = table.pop("space", None)
    fixed = table.pop("fixed", {})
    if not isinstance(fields, Mapping) or not fields:
        raise RecipeError("[space] is missing or empty: say what varies, such as optimizer.lr = [0.1, 0.01]")
    if not isinstance(fixed, Mapping):
        raise RecipeError("fixed must be a section, [fixed], of fields that are the same in every trial")
    texts = {"description": None, "recipe": None, "method": METHODS, "prune": PRUNERS}
    counts = ("trials", "seeds")
    for name, value in table.items():
        if name not in texts and name not in counts:
            known = [*texts, *counts, "space", "fixed"]
            raise RecipeError(f"{name}: there is no such field; {suggestion(name, known)}")
        known = texts.get(name)
        if name in texts and not (isinstance(value, str) and (known is None or value in known)):
            raise RecipeError(
                f"{name} must be {'text' if known is None else ' or '.join(known)}, got {value!r}"
            )
        if name in counts and not (type(value) is int and value >= 1):
            raise RecipeError(f"{name} must be a whole number, 1 or more, got {value!r}")
    dimensions = tuple(_dimension(name, value) for name, value in _flat(fields))
    constant = dict(_flat(fixed, inside=False))
    for own in dimensions:
        if any(overlap(own.field, name) for name in constant):
            raise RecipeError(f"{own.field} is both in [fixed] and in [space]: leave one out")
    return Space(dimensions, constant, source, **table)


def _flat(table: Mapping[str, Any], prefix: str = "", *, inside: bool = True) -> Iterator[tuple[str, Any]]:
    """The fields of nested tables by their dotted names; a table that says what a field may be is a value."""
    for name, value in table.items():
        full = f"{prefix}{name}"
        is_value = not isinstance(value, Mapping) or (inside and any(_is_kind(key) for key in value))
        if is_value:
            yield full, value
        else:
            yield from _flat(value, f"{full}.", inside=inside)


def overlap(one: str, other: str) -> bool:
    """Whether two names are of one field, or one of a table that holds the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _is_kind(key: str) -> bool:
    """Whether a key was meant to say what a field may be."""
    return key in _MISSPELT or bool(difflib.get_close_matches(key.lower(), _KINDS, n=1, cutoff=0.75))


def _dimension(name: str, value: Any) -> Dimension:
    if any(overlap(name, other) for other in _NOT_SEARCHED):
        why = (
            "seeds are not searched but repeated: use --seeds"
            if name == "seed"
            else "it must be the same in every trial: set it in the recipe, or in [fixed]"
        )
        raise RecipeError(f"{name} cannot vary: {why}")
    if isinstance(value, list):
        value = {"choice": value}
    if not isinstance(value, Mapping):
        raise RecipeError(
            f"{name} = {json.dumps(value, default=str)} is one value: write a list, or put it in [fixed]"
        )
    kinds = [kind for kind in _KINDS if kind in value]
    if len(kinds) != 1:
        raise RecipeError(
            f"{name}: say what it may be in one way, such as [1, 2], {{ uniform = [0.0, 0.5] }}, "
            "{ log-uniform = [1e-5, 1e-2] } or { integer = [1, 8] }"
        )
    (kind,) = kinds
    extra = [option for option in value if option != kind and option not in _OPTIONS[kind]]
    if extra:
        takes = ", ".join(_OPTIONS[kind]) or "nothing else"
        raise RecipeError(f"{name}: {kind} has no option {extra[0]!r}; it takes {takes}")
    return _choice(name, value[kind]) if kind == "choice" else _range(name, kind, value)


def _choice(name: str, options: Any) -> Dimension:
    if not isinstance(options, list) or not options:
        raise RecipeError(f"{name}: a choice is a list of one value or more, got {options!r}")
    try:
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError):
        raise RecipeError(
            f"{name}: a choice is among finite numbers, words and lists, got {options!r}"
        ) from None
    if any(_same(one, other) for i, one in enumerate(options) for other in options[:i]):
        raise RecipeError(f"{name}: a value stands twice in {json.dumps(options)}: leave one out")
    return Dimension(name, "choice", options=tuple(options))


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one to a recipe: 1 and 1.0 are, 1 and true are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _range(name: str, kind: Any, value: Mapping[str, Any]) -> Dimension:
    ends = value[kind]
    if not (isinstance(ends, list) and len(ends) == 2 and all(_is_number(end) for end in ends)):
        raise RecipeError(f"{name}: {kind} needs the low and the high end, such as [1, 10], got {ends!r}")
    low, high = ends
    if kind == "integer" and not all(type(end) is int for end in ends):
        raise RecipeError(f"{name}: integer needs whole numbers as ends, got {ends!r}")
    if low >= high:
        raise RecipeError(
            f"{name}: the range from {low:g} to {high:g} is empty: its low end must be below its high end"
        )
    if kind != "integer":
        low, high = float(low), float(high)
    log, step, points = value.get("log", kind == "log-uniform"), value.get("step"), value.get("points")
    if not isinstance(log, bool):
        raise RecipeError(f"{name}: log must be true or false, got {log!r}")
    if log and low <= 0:
        raise RecipeError(
            f"{name}: {low:g} has no logarithm: both ends of a logarithmic range must be above 0"
        )
    if step is not None and not (_is_number(step) and 0 < step <= high - low):
        raise RecipeError(f"{name}: step must be above 0 and no longer than the range, got {step!r}")
    if step is not None and kind == "integer" and type(step) is not int:
        raise RecipeError(
            f"{name}: step must be a whole number as the range is one of integers, got {step!r}"
        )
    if step is not None and points is not None:
        raise RecipeError(f"{name}: step and points both say which values there are: leave one out")
    if step is not None and log:
        raise RecipeError(f"{name}: a logarithmic range has no step: use points, or leave log out")
    if points is not None and not (type(points) is int and 1 <= points <= MOST_SETTINGS):
        raise RecipeError(
            f"{name}: points must be a whole number from 1 to {MOST_SETTINGS:,}, got {points!r}"
        )
    if kind == "integer" and step is None and points is None and not log:
        step = 1
    if step is not None:  # the range ends at the last value that is a number of steps from its low end
        start, stride = Decimal(str(low)), Decimal(str(step))
        high = type(high)(start + stride * int((Decimal(str(high)) - start) / stride))
    return Dimension(name, kind, low=low, high=high, log=log, step=step, points=points)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST
