"""The numbers that a model or a pair of functions holds under a name, such as `reg` or a dropout rate."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from numbers import Real
from typing import Any

import numpy as np


def settings_of(owner: Any) -> dict[str, float]:
    """Attributes of an object, keywords, defaults and enclosed variables of functions: name -> number.

    Looks into dicts and, one level deep, into objects that are held.
    """
    found: dict[str, float] = {}
    owners = owner if isinstance(owner, tuple | list) else (owner,)
    for i, one in enumerate(owners):
        _gather(one, f"input{i}", found, depth=3)
    return found


def _gather(value: Any, name: str, found: dict[str, float], depth: int) -> None:
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        found.setdefault(name, float(value))
    elif depth == 0 or isinstance(value, str | bytes | np.ndarray | type):
        return
    elif isinstance(value, Mapping):
        for key, held in value.items():
            _gather(held, str(key), found, depth - 1)
    elif isinstance(value, tuple | list):
        for i, held in enumerate(value[:20]):
            _gather(held, f"{name}[{i}]", found, depth - 1)
    elif isinstance(value, partial):
        _gather(value.keywords, name, found, depth)
        _gather(value.args, name, found, depth - 1)
        _gather(value.func, name, found, depth - 1)
    elif inspect.isroutine(value):
        function = inspect.unwrap(getattr(value, "__func__", value))
        _gather(getattr(function, "__kwdefaults__", None) or {}, name, found, depth)
        names = getattr(getattr(function, "__code__", None), "co_varnames", ())
        defaults = getattr(function, "__defaults__", None) or ()
        count = getattr(getattr(function, "__code__", None), "co_argcount", 0)
        _gather(dict(zip(names[count - len(defaults) : count], defaults, strict=False)), name, found, depth)
        _gather(_enclosed(function), name, found, depth - 1)
    else:
        _gather(getattr(value, "__dict__", {}), name, found, depth - 1)


def _enclosed(function: Any) -> dict[str, Any]:
    """The variables of the functions around that `function` uses."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    held = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        try:
            held[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return held
