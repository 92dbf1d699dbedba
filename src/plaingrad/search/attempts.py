"""Trials that have to run again, as what ran them has died."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from plaingrad.search.methods import quiet

_ATTEMPTS = 3  # times that a trial may take its worker with it before it counts as failed


def number_of(trial: Trial | FrozenTrial) -> int:
    """The number that a trial had when it was first begun."""
    return trial.user_attrs.get("number", trial.number)


def run_stale_again(study: optuna.Study, frozen: FrozenTrial) -> None:
    """Add a trial anew whose machine has been silent for too long; Optuna has failed it."""
    if "outcome" not in frozen.user_attrs:  # else it had ended, but for the last word
        add_again(study, frozen, "its machine fell silent")


def add_again(study: optuna.Study, frozen: FrozenTrial, died: str | None) -> bool:
    """Add an ended trial anew, to wait; or as failed, and False, if that `died` with its worker too often."""
    attempts = frozen.user_attrs.get("attempts", 0) + (died is not None)
    known: dict[str, Any] = {"queued": True, "number": number_of(frozen), "attempts": attempts}
    if attempts >= _ATTEMPTS:
        known["outcome"] = {"state": "failed", "failure": f"it died {attempts} times with its worker: {died}"}
    with quiet():
        study.add_trial(
            create_trial(
                state=TrialState.WAITING if attempts < _ATTEMPTS else TrialState.FAIL,
                params=frozen.params,
                distributions=frozen.distributions,
                user_attrs=known,
                system_attrs={k: v for k, v in frozen.system_attrs.items() if k == "fixed_params"},
                intermediate_values=frozen.intermediate_values,
            )
        )
    return attempts < _ATTEMPTS
