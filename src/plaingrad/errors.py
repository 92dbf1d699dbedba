"""The errors plaingrad raises on purpose: each says what was wrong, where, and what to do.

The command line prints the message alone and exits with `exit_code`: 2 when the call was wrong,
1 when the call was right but the work failed.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any


class PlaingradError(Exception):
    """Base of all errors below; `exit_code` is what the command line ends with."""

    exit_code = 2


class DataError(PlaingradError, ValueError):
    """A data set, file or image is missing, damaged, or does not hold what it should."""


class ShapeError(PlaingradError, ValueError):
    """Shapes that do not fit; names the layer, what it got, and what to do."""


class RecipeError(PlaingradError, ValueError):
    """A recipe or setting that does not exist, has the wrong type, or is out of range; names the field."""


class RunError(PlaingradError):
    """A run folder that is not one, or that holds no usable checkpoint."""


class WatchError(PlaingradError):
    """A run cannot be watched: something is not installed, or the host or port is not to be had."""


class SearchError(PlaingradError):
    """A search that was asked for rightly found nothing: its workers cannot work, or no trial ended well."""

    exit_code = 1


class StorageError(PlaingradError):
    """The storage of a search is out of reach, or does not take what is written."""

    exit_code = 1


class DownloadError(PlaingradError):
    """No mirror delivered the file; says what to fetch by hand and where to put it."""

    exit_code = 1


class CheckpointError(PlaingradError):
    """A checkpoint could not be written or read whole."""

    exit_code = 1


class NonFiniteError(PlaingradError, ArithmeticError):
    """Training met NaN or infinity; names the step and the first layer whose output was not finite."""

    exit_code = 1


class Interrupted(KeyboardInterrupt):
    """A signal ended training between two steps; `signal` is its number, 2 for Ctrl-C."""

    def __init__(self, message: str, signal: int = 2) -> None:
        super().__init__(message)
        self.signal = signal


def check_ranges(
    settings: object,
    *,
    above_zero: Iterable[str] = (),
    not_negative: Iterable[str] = (),
    below_one: Iterable[str] = (),
) -> None:
    """Raise ValueError for the first named attribute (those that exist) outside its range, or not finite.

    `below_one` means from 0 to below 1.
    """
    for names, holds, what in (
        (above_zero, lambda v: v > 0, "above 0"),
        (not_negative, lambda v: v >= 0, "0 or more"),
        (below_one, lambda v: 0 <= v < 1, "from 0 to below 1"),
    ):
        for name in names:
            value = getattr(settings, name, None)
            if value is not None and not (math.isfinite(value) and holds(value)):
                finite = "" if math.isfinite(value) else "finite and "
                raise ValueError(f"{type(settings).__name__}: {name} must be {finite}{what}, got {value}")


def require_count(name: str, value: Any, least: int) -> None:
    """Raise RecipeError unless `value` is a whole number, `least` or more."""
    whole = isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
    if not whole:
        raise RecipeError(f"{name} must be a whole number, {least} or more, got {value!r}")


def require_number(name: str, value: Any, holds: Callable[[float], bool], what: str) -> None:
    """Raise RecipeError unless `value` is a number that `holds`, which `what` says in words."""
    if not (isinstance(value, Real) and holds(float(value))):
        raise RecipeError(f"{name} must be a number {what}, got {value!r}")


def require_kind(name: str, value: Any, kind: Any, example: str) -> None:
    """Raise RecipeError unless `value` is an instance of `kind`."""
    if not isinstance(value, kind):
        raise RecipeError(f"{name} must be an object {example}, got {value!r}")


def suggestion(word: str, known: Iterable[str]) -> str:
    """A phrase that lists what there is, and first the closest to `word` if one is close."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]!r}? There" if close else "there"
    return f"{hint} are: {', '.join(known)}"
