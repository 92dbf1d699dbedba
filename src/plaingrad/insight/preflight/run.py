"""The pre-flight: one question after the other, each answered by a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext

from plaingrad.errors import RecipeError, suggestion
from plaingrad.insight.preflight import data_lines, forecast, layer_lines, start_lines
from plaingrad.insight.preflight.overfit import overfit
from plaingrad.insight.preflight.range_test import learning_rate
from plaingrad.insight.preflight.report import Line, PreflightReport
from plaingrad.insight.preflight.subject import Subject
from plaingrad.interruption import Interruption
from plaingrad.solver import Solver

CHECKS: Mapping[str, Callable[[Subject], Line]] = {
    "values": data_lines.values,
    "features": data_lines.features,
    "normalization": data_lines.normalization,
    "classes": data_lines.classes,
    "duplicates": data_lines.duplicates,
    "labels": data_lines.labels,
    "initial-loss": start_lines.initial_loss,
    "gradients": start_lines.gradients,
    "activations": layer_lines.activations,
    "gradient-flow": layer_lines.gradient_flow,
    "overfit": overfit,
    "learning-rate": learning_rate,
    "time": forecast.duration,
    "memory": forecast.memory,
}

# Lines that compute by compiled kernels, which must not be interrupted while they are loaded: there a signal
# waits for the end of the step or the line.
_DEFERRING = set(CHECKS) - {"gradients"}


def preflight(
    make_solver: Callable[[], Solver],
    *,
    only: Iterable[str] = (),
    on_line: Callable[[Line], None] | None = None,
    start_seconds: float = 0.0,
) -> PreflightReport:
    """Look for what would spoil a training run, before it is started.

    make_solver: makes the Solver of the run, with a new model, whenever it is called: several are trained for
        a moment.  Their callbacks are left out.  Any model with `params` and `loss` will do; what only a
        Network can answer is skipped for others, and so is a line in which such a model raises an error.
    only: the names of the lines wanted, all of them for none; see `CHECKS` for what there is.
    on_line: hears each line as soon as it is known.
    start_seconds: how long it took to get as far as make_solver, such as reading the data; for the forecast.

    Ctrl-C ends it after the present line or training step, a second one, more than a second later, at once.

    Raises RecipeError for a name that no line has, and if make_solver does not make new solvers.
    """
    wanted = list(only)
    require_names(wanted)
    interruption = Interruption()
    lines = []
    with interruption:
        subject = Subject(make_solver, start_seconds, interruption)
    for name, check in CHECKS.items():
        if not wanted or name in wanted:
            with interruption if name in _DEFERRING else nullcontext():
                lines.append(_asked(name, check, subject))
                interruption.check(f"after the line {name}")
            if on_line is not None:
                on_line(lines[-1])
    return PreflightReport(tuple(lines))


def _asked(name: str, check: Callable[[Subject], Line], subject: Subject) -> Line:
    """The line of a check.  A model of one's own may raise anything on batches that its training never has."""
    try:
        return check(subject)
    except Exception as error:
        if subject.network is not None:
            raise
        return Line(name, "skipped", f"the model raised {type(error).__name__}: {error}")


def require_names(names: Iterable[str]) -> None:
    """Raise RecipeError unless each is the name of a line."""
    for name in names:
        if name not in CHECKS:
            raise RecipeError(f"the pre-flight has no line {name!r}; {suggestion(name, CHECKS)}")
