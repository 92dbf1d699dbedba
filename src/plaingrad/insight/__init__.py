"""Insight: whether gradients are right, and what is wrong where they are not."""

from plaingrad.insight.gradient_report import GradientReport, GradientRow
from plaingrad.insight.gradients import check_gradients, numeric_gradient, relative_error

__all__ = [
    "GradientReport",
    "GradientRow",
    "check_gradients",
    "numeric_gradient",
    "relative_error",
]
