"""Insight: whether gradients are right, and what is wrong where they are not."""

from plaingrad.insight.doctor import Diagnosis, Doctor, Evidence, Finding, Watch, diagnose
from plaingrad.insight.gradients import (
    GradientFinding,
    GradientReport,
    GradientRow,
    check_gradients,
    numeric_gradient,
    relative_error,
)

__all__ = [
    "Diagnosis",
    "Doctor",
    "Evidence",
    "Finding",
    "GradientFinding",
    "GradientReport",
    "GradientRow",
    "Watch",
    "check_gradients",
    "diagnose",
    "numeric_gradient",
    "relative_error",
]
