"""Insight: whether gradients are right, and what is wrong where they are not."""

from plaingrad.insight.gradients import (
    GradientReport,
    GradientRow,
    check_gradients,
    numeric_gradient,
    relative_error,
)

__all__ = [
    "GradientReport",
    "GradientRow",
    "check_gradients",
    "numeric_gradient",
    "relative_error",
]
