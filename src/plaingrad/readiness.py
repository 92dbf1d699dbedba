"""What would spoil the run of a recipe, found before it is started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np

from plaingrad.errors import require_kind
from plaingrad.insight import GradientReport, check_gradients
from plaingrad.insight.preflight import Line, PreflightReport, require_names
from plaingrad.insight.preflight import preflight as preflight_of
from plaingrad.settings import Recipe
from plaingrad.training import solver_of


def preflight(
    recipe: Recipe, *, only: Iterable[str] = (), on_line: Callable[[Line], None] | None = None
) -> PreflightReport:
    """Look for what would spoil a training run: data, initial loss, gradients, layers, learning rate, time.

    >>> print(plaingrad.preflight(plaingrad.read_recipe("digits")))

    only: the names of the lines wanted, all of them for none.  on_line: hears each line as soon as it is known.
    Writes nothing, and takes seconds for a small network, a minute for a slow one: each line is bounded.  For
    what is no recipe, `plaingrad.insight.preflight.preflight` takes a function that makes a Solver.

    Raises RecipeError for a name that no line has and for what is no recipe, DataError if the data is not there.
    """
    _require_recipe(recipe)
    wanted = list(only)
    require_names(wanted)  # before any data is read
    began = time.perf_counter()
    data = recipe.data.build()
    return preflight_of(
        lambda: solver_of(recipe, data),
        only=wanted,
        on_line=on_line,
        start_seconds=time.perf_counter() - began,
    )


def gradient_table(recipe: Recipe, *, samples: int = 20) -> GradientReport:
    """Compare the gradients of a recipe's network with numeric differences on a few training samples.

    The line "gradients" of the pre-flight is bounded in time; this is not.
    """
    _require_recipe(recipe)
    data = recipe.data.build()
    network = recipe.build(data.input_shape, len(data.classes), dtype="float64")
    X, y = data.train.batch(np.arange(min(samples, len(data.train))))
    return check_gradients(network, X, y, max_elements=50)


def _require_recipe(recipe: Recipe) -> None:
    require_kind("recipe", recipe, Recipe, 'such as plaingrad.read_recipe("digits")')
