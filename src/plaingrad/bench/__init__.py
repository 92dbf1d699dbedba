"""plaingrad side by side with what a user would pick instead: time, operations a second, memory."""

from plaingrad.bench.outcome import COLUMNS, RIGHT, SUMMARY_COLUMNS, SUMMARY_RIGHT, Outcome
from plaingrad.bench.session import MeasurementError, Session
from plaingrad.bench.workloads import WORKLOADS, Workload

__all__ = [
    "COLUMNS",
    "RIGHT",
    "SUMMARY_COLUMNS",
    "SUMMARY_RIGHT",
    "WORKLOADS",
    "MeasurementError",
    "Outcome",
    "Session",
    "Workload",
]
