"""The gradient checker: analytic gradients against numeric differences, and a name for what is wrong."""

from plaingrad.insight.gradients.check import check_gradients
from plaingrad.insight.gradients.numeric import numeric_gradient, relative_error
from plaingrad.insight.gradients.report import GradientFinding, GradientReport, GradientRow

__all__ = [
    "GradientFinding",
    "GradientReport",
    "GradientRow",
    "check_gradients",
    "numeric_gradient",
    "relative_error",
]
