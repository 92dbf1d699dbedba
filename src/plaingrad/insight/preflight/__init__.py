"""The pre-flight: what would spoil a training run, found before it is started."""

from plaingrad.insight.preflight.report import Line, PreflightReport
from plaingrad.insight.preflight.run import CHECKS, preflight, require_names

__all__ = ["CHECKS", "Line", "PreflightReport", "preflight", "require_names"]
