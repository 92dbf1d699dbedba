"""What a study remembers, in an Optuna storage: a journal in its folder, or a database that machines share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState

from plaingrad.search.attempts import add_again, number_of
from plaingrad.search.methods import quiet, sampler
from plaingrad.search.plan import Plan
from plaingrad.search.results import Opening, State, TrialResult

BEAT_SECONDS = 10  # how often a machine says that its trials run
SILENT_SECONDS = 60  # after so long without a word, others take its trials over


class Store:
    """The trials of a study.

    A trial waits, runs, and ends with an outcome.  One whose worker, machine or search has died fails without,
    and is added anew with the same setting, under the number that it had: `number_of`.

    made: whether the study was made by whoever opened this store, and has no trials yet.
    """

    def __init__(self, study: optuna.Study, storage: BaseStorage, plan: Plan, *, made: bool) -> None:
        self.study, self.storage, self.plan, self.made = study, storage, plan, made
        self._running: dict[int, Trial] = {}
        self._claim: Trial | None = None
        self._claimed: optuna.Study | None = None
        self._heard: set[int] = set()  # other machines' trials that have been seen to run
        self._last_beat = 0.0

    # What is to come

    @property
    def planned(self) -> int | None:
        """How many trials there are to be in all, 0 if time alone ends the search; None while nobody has said."""
        return self.study.user_attrs.get("trials")

    @property
    def minutes(self) -> float | None:
        """How long the search goes on, in all; None if its trials alone end it."""
        return self.study.user_attrs.get("minutes")

    def plan_minutes(self, minutes: float | None) -> None:
        """Have the search go on for so long, in all."""
        self.study.set_user_attr("minutes", minutes)

    def plan_trials(self, trials: int) -> None:
        """Have so many trials in all: those that are missing wait from now on.  0: as many as time allows."""
        known = len(self._known())
        settings: list[dict[str, Any]] = [{}] * trials
        if self.plan.method == "grid":
            dimensions = {own.field: own for own in self.plan.space.dimensions}
            settings = [
                {name: dimensions[name].stored(value) for name, value in own.items()}
                for own in self.plan.space.grid()
            ]
        for number in range(known, trials):
            self.study.enqueue_trial(settings[number], user_attrs={"queued": True, "number": number})
        self.study.set_user_attr("trials", trials)

    def claim(self, *, new: bool) -> Trial | None:
        """The next trial that waits, or a new one if `new`; None if there is none.

        Its draws depend on the plan's seed and its number alone, whoever claims it.
        """
        if not new and not self._trials(TrialState.WAITING):
            return None
        with quiet():
            trial = self.study.ask()
        if not new and "queued" not in trial.user_attrs:  # another machine was quicker: the queue was empty
            self.study.tell(trial, state=TrialState.FAIL)
            return None
        if "number" not in trial.user_attrs and not isinstance(self.storage, RDBStorage):
            trial.set_user_attr("number", len(self._known()) - 1)  # not counting those that ran again
        self.study.sampler = sampler(self.plan, number_of(trial))
        self._running[trial.number] = trial
        self._beat(trial)  # who has never been heard of does not count as silent
        return trial

    def again(self, trial: Trial, *, died: str | None = None) -> bool:
        """Have an unfinished trial run again; False if it has `died` too often, and has failed with that."""
        frozen = self.storage.get_trial(trial._trial_id)
        self._running.pop(trial.number, None)
        if self._end(trial, TrialState.FAIL):
            return add_again(self.study, frozen, died)
        return True  # another machine has it

    # What is known

    def report(self, trial: Trial, index: int, accuracy: float) -> bool:
        """Note the accuracy of an evaluation; False if the trial is not worth going on with."""
        try:
            with quiet():  # about an evaluation that was noted before the run was begun again
                trial.report(accuracy, index)
        except UpdateFinishedTrialError:  # taken from us, as we seemed dead
            return False
        return self.plan.prune == "none" or not trial.should_prune()

    def taken(self, trial: Trial) -> bool:
        """Whether another machine has taken a trial from us, as we seemed dead."""
        return self.storage.get_trial(trial._trial_id).state != TrialState.RUNNING

    def finish(
        self, trial: Trial, state: State, outcome: Mapping[str, Any], score: float | None = None
    ) -> None:
        """Note how a trial ended; `outcome` holds fields of TrialResult."""
        self._running.pop(trial.number, None)
        with contextlib.suppress(UpdateFinishedTrialError):  # taken from us, as we seemed dead
            trial.set_user_attr("outcome", {"state": state, **outcome})
            # To the sampler a setting that diverges is one to keep away from; failures tell it nothing.
            told = {
                "complete": TrialState.COMPLETE,
                "pruned": TrialState.PRUNED,
                "diverged": TrialState.PRUNED,
            }
            self._end(trial, told.get(state, TrialState.FAIL), score if state == "complete" else None)

    def results(self) -> list[TrialResult]:
        """All trials that have begun."""
        return [self._result(own) for own in self._known() if own.params]

    @property
    def waiting(self) -> int:
        """How many trials wait."""
        return len(self._trials(TrialState.WAITING))

    @property
    def elsewhere(self) -> int:
        """How many trials run on other machines."""
        return sum(own.number not in self._running for own in self._trials(TrialState.RUNNING))

    def importance(self) -> dict[str, float]:
        """What share of the difference between good and other settings each field explains; {} if that is not known."""
        complete = self._trials(TrialState.COMPLETE)
        if len(complete) < 4:
            return {}
        try:
            with quiet():
                # Good are the best tenth, or of few trials the best four: one good trial would explain anything.
                good = max(0.1, min(0.5, 4 / len(complete)))
                found = optuna.importance.get_param_importances(
                    self.study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(target_quantile=good)
                )
        except (ValueError, RuntimeError):  # all alike
            return {}
        return {name: float(share) for name, share in found.items() if np.isfinite(share)}

    @property
    def openings(self) -> tuple[Opening, ...]:
        """Every opening of the test set."""
        return tuple(Opening.from_dict(own) for own in self.study.user_attrs.get("openings", []))

    def opened(self, opening: Opening) -> None:
        """Count an opening of the test set."""
        self.study.set_user_attr("openings", [own.to_dict() for own in (*self.openings, opening)])

    @property
    def seconds(self) -> float:
        """How long the study has been searched, all sittings together."""
        return self.study.user_attrs.get("seconds", 0.0)

    def concludes(self) -> bool:
        """Whether it is for us to test the best: of machines that end at the same time one alone hears yes.

        Another hears it once that one has fallen silent, or has been interrupted.
        """
        if not isinstance(self.storage, RDBStorage):
            return True
        name = f"{self.study.study_name}: the best of {len(self._known())} trials"
        try:
            claim = optuna.create_study(storage=self.storage, study_name=name)
        except optuna.exceptions.DuplicatedStudyError:
            claim = optuna.load_study(storage=self.storage, study_name=name)
            with quiet():
                fail_stale_trials(claim)
        else:
            claim.enqueue_trial({}, user_attrs={"queued": True})
        states = [own.state for own in claim.get_trials(deepcopy=False)]
        if TrialState.WAITING not in states:
            return TrialState.COMPLETE in states  # it has been tested, and need not be again
        with quiet():
            trial = claim.ask()
        if "queued" not in trial.user_attrs:  # another machine was quicker
            claim.tell(trial, state=TrialState.FAIL)
            return False
        self._claim, self._claimed = trial, claim
        self._beat(trial)
        return True

    @contextlib.contextmanager
    def conclusion(self) -> Iterator[None]:
        """What `concludes` has given us; if it is interrupted, another may have it."""
        done = False
        try:
            yield
            done = True
        finally:
            if self._claimed is not None and self._claim is not None:
                state = TrialState.COMPLETE if done else TrialState.FAIL
                with contextlib.suppress(ValueError, UpdateFinishedTrialError):  # taken from us
                    self._claimed.tell(self._claim, 0.0 if done else None, state=state)
                if not done:
                    self._claimed.enqueue_trial({}, user_attrs={"queued": True})
            self._claim = self._claimed = None

    def searched(self, seconds: float) -> None:
        """Set how long the study has been searched."""
        self.study.set_user_attr("seconds", seconds)

    # Who is alive

    def beat(self) -> None:
        """Let other machines know that our trials run, and take over those of machines that are silent."""
        if not isinstance(self.storage, RDBStorage) or time.monotonic() - self._last_beat < BEAT_SECONDS:
            return
        self._last_beat = time.monotonic()
        for trial in [*self._running.values(), *([self._claim] if self._claim else [])]:
            self._beat(trial)
        for frozen in self._trials(TrialState.RUNNING):
            # Whoever has never been heard of never counts as silent: its machine may have died at once.
            if frozen.number not in self._running and frozen.number not in self._heard:
                self._heard.add(frozen.number)
                self.storage.record_heartbeat(frozen._trial_id)
        with quiet():
            fail_stale_trials(self.study)

    def take_over(self) -> None:
        """Have what a search that was killed has left undone run again.

        In a journal, which nobody else has open, that is all that seems to run; and everywhere trials that were
        failed to be run again, and never added.
        """
        if not isinstance(self.storage, RDBStorage):
            for frozen in self._trials(TrialState.RUNNING):
                self.storage.set_trial_state_values(frozen._trial_id, TrialState.FAIL)
        known = {number_of(own) for own in self._known()}
        for frozen in self._trials(TrialState.FAIL):
            if number_of(frozen) not in known and ("queued" in frozen.user_attrs or frozen.params):
                known.add(number_of(frozen))
                add_again(self.study, frozen, None)

    # How it is done

    def _beat(self, trial: Trial) -> None:
        if isinstance(self.storage, RDBStorage):
            self.storage.record_heartbeat(trial._trial_id)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states or None)

    def _known(self) -> list[FrozenTrial]:
        """All trials but those that were added anew."""
        return [t for t in self._trials() if t.state != TrialState.FAIL or "outcome" in t.user_attrs]

    def _end(self, trial: Trial, state: TrialState, score: float | None = None) -> bool:
        """End a trial in the storage; False if another machine has taken it over."""
        try:
            self.study.tell(trial, score, state=state)
        except (ValueError, UpdateFinishedTrialError):
            return False
        return True

    def _result(self, own: FrozenTrial) -> TrialResult:
        outcome = dict(own.user_attrs.get("outcome", {}))
        states: dict[TrialState, State] = {TrialState.RUNNING: "running", TrialState.WAITING: "waiting"}
        state = outcome.pop("state", None) or states.get(own.state, "failed")
        values = {
            d.field: d.value(own.params[d.field]) for d in self.plan.space.dimensions if d.field in own.params
        }
        curve = tuple(sorted(own.intermediate_values.items()))
        return TrialResult.of(number_of(own), state, values, {"curve": curve, **outcome})
