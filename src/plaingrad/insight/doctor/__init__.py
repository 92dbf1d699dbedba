"""The doctor: evidence gathered while a model trains, and what it says is wrong."""

from plaingrad.insight.doctor.diagnosis import CONDITIONS, Diagnosis, Finding, diagnose
from plaingrad.insight.doctor.evidence import (
    Evaluation,
    Evidence,
    Look,
    NonFinite,
    Order,
    Probes,
    Setup,
)
from plaingrad.insight.doctor.histories import from_histories
from plaingrad.insight.doctor.live import Doctor
from plaingrad.insight.doctor.watch import Watch

__all__ = [
    "CONDITIONS",
    "Diagnosis",
    "Doctor",
    "Evaluation",
    "Evidence",
    "Finding",
    "Look",
    "NonFinite",
    "Order",
    "Probes",
    "Setup",
    "Watch",
    "diagnose",
    "from_histories",
]
