"""Layers written as plain values, as a TOML file holds them, and read back into specs.

A layer is a word, "relu", or a table whose `kind` is that word and whose other fields are the layer's
own: {kind = "conv", filters = 32, size = 3, padding = 1}.  Combinators hold lists of layers:
"sequential" and "repeat" (with `times`) in `layers`, "residual" in `body` and `shortcut`, "branch" a list
of such lists in `paths`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from plaingrad.errors import RecipeError, require_count, suggestion
from plaingrad.network.combinators import Branch, Residual, Sequential
from plaingrad.network.image_layers import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d
from plaingrad.network.initializers import He, Initializer, Normal, Uniform, Xavier
from plaingrad.network.layer import Layer
from plaingrad.network.layers import (
    ELU,
    GELU,
    Affine,
    Dropout,
    Dropout2d,
    Flatten,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Scale,
    Sigmoid,
    SiLU,
    Tanh,
)
from plaingrad.network.normalization_layers import BatchNorm, GroupNorm, LayerNorm

KINDS: dict[str, type[Layer]] = {
    "affine": Affine,
    "avg-pool": AvgPool2d,
    "batchnorm": BatchNorm,
    "conv": Conv2d,
    "dropout": Dropout,
    "dropout2d": Dropout2d,
    "elu": ELU,
    "flatten": Flatten,
    "gelu": GELU,
    "global-avg-pool": GlobalAvgPool2d,
    "groupnorm": GroupNorm,
    "layernorm": LayerNorm,
    "leaky-relu": LeakyReLU,
    "log-softmax": LogSoftmax,
    "max-pool": MaxPool2d,
    "relu": ReLU,
    "scale": Scale,
    "sigmoid": Sigmoid,
    "silu": SiLU,
    "tanh": Tanh,
}
COMBINATORS = {
    "branch": ("paths", "join"),
    "repeat": ("times", "layers"),
    "residual": ("body", "shortcut"),
    "sequential": ("layers",),
}
INITIALIZERS: dict[str, Initializer] = {"he": He(), "uniform": Uniform(), "xavier": Xavier()}

# What a field of a layer may be, for the types that its class does not look at itself.
_TYPES: dict[Any, tuple[Callable[[Any], bool], str]] = {
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "float": (
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
        "a finite number",
    ),
    "str": (lambda value: isinstance(value, str), "text"),
}

# The number of units that stands for the number of classes, which the data knows.
CLASSES = "classes"
_MOST_REPEATS = 1000


def described(layers: Any, classes: int, where: str = "layers") -> Sequential:
    """The layers that a list describes, one after the other.

    `units = "classes"` in an affine layer stands for `classes`.  Raises RecipeError, which names the
    place in the list, for what is no description.
    """
    if not isinstance(layers, Sequence) or isinstance(layers, str) or not layers:
        raise RecipeError(f'{where} must be a list of layers, such as ["flatten", "relu"], got {layers!r}')
    return Sequential(*(_layer(layer, classes, f"{where}[{i}]") for i, layer in enumerate(layers)))


def _layer(given: Any, classes: int, where: str) -> Layer:
    table = {"kind": given} if isinstance(given, str) else given
    if not isinstance(table, Mapping) or not isinstance(table.get("kind"), str):
        raise RecipeError(
            f'{where} must be the name of a layer or a table with its kind, such as {{kind = "conv", '
            f"filters = 32, size = 3}}, got {given!r}"
        )
    values: dict[str, Any] = dict(table)
    kind: str = values.pop("kind")
    if kind in COMBINATORS:
        return _combined(kind, values, classes, where)
    if kind not in KINDS:
        raise RecipeError(f"{where}: there is no layer {kind!r}; {suggestion(kind, [*KINDS, *COMBINATORS])}")
    layer = KINDS[kind]
    _require_known(values, [f.name for f in fields(layer)], kind, where)
    for f in fields(layer):  # a dataclass takes what it is given; TOML tells true from 1
        if f.name in values and f.type in _TYPES:
            fits, what = _TYPES[f.type]
            if not fits(values[f.name]):
                raise RecipeError(f"{where}.{f.name} must be {what}, got {values[f.name]!r}")
    if values.get("units") == CLASSES:
        values["units"] = classes
    if "weight_init" in values:
        values["weight_init"] = _initializer(values["weight_init"], f"{where}.weight_init")
    values = {field: tuple(value) if isinstance(value, list) else value for field, value in values.items()}
    try:
        return layer(**values)
    except (TypeError, ValueError) as error:
        missing = [f.name for f in fields(layer) if _is_required(f) and f.name not in values]
        problem = f"{kind} needs {' and '.join(missing)}" if missing else str(error)
        raise RecipeError(f"{where}: {problem}") from None


def _combined(kind: str, values: dict[str, Any], classes: int, where: str) -> Layer:
    _require_known(values, COMBINATORS[kind], kind, where)
    if kind == "residual":
        shortcut = values.get("shortcut")
        return Residual(
            described(values.get("body"), classes, f"{where}.body"),
            None if shortcut is None else described(shortcut, classes, f"{where}.shortcut"),
        )
    if kind == "branch":
        paths = values.get("paths")
        if not isinstance(paths, list):
            raise RecipeError(f"{where}.paths must be a list of lists of layers, got {paths!r}")
        join = values.get("join", "concatenate")
        try:
            return Branch(
                *(described(p, classes, f"{where}.paths[{i}]") for i, p in enumerate(paths)), join=join
            )
        except ValueError as error:
            raise error if isinstance(error, RecipeError) else RecipeError(f"{where}: {error}") from None
    times = values.get("times", 1)
    require_count(f"{where}.times", times, 1)
    if times > _MOST_REPEATS:
        raise RecipeError(f"{where}.times must be at most {_MOST_REPEATS}, got {times}")
    once = described(values.get("layers"), classes, f"{where}.layers")
    return Sequential(*[once] * times) if kind == "repeat" else once


def _require_known(values: Mapping[str, Any], known: Sequence[str], kind: str, where: str) -> None:
    unknown = next((field for field in values if field not in known), None)
    if unknown is not None:
        raise RecipeError(f"{where}.{unknown}: {kind} has no such field; {suggestion(unknown, known)}")


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _initializer(given: Any, where: str) -> Initializer:
    if isinstance(given, str) and given in INITIALIZERS:
        return INITIALIZERS[given]
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < math.inf:
        return Normal(given)
    raise RecipeError(
        f"{where} must be one of {', '.join(INITIALIZERS)}, or the standard deviation of a normal, got {given!r}"
    )
