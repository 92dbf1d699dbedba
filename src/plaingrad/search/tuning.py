"""From a recipe and a space to a finished study."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from plaingrad.checkpoint import write_whole
from plaingrad.errors import Interrupted, RecipeError, RunError, SearchError
from plaingrad.interruption import Interruption
from plaingrad.recipe import read_recipe
from plaingrad.run_folder import Warn, silent
from plaingrad.search.crew import Crew
from plaingrad.search.final import conclude
from plaingrad.search.folder import StudyFolder
from plaingrad.search.plan import Plan, require_minutes
from plaingrad.search.reading import check_storage, result_of
from plaingrad.search.results import StudyResult, TrialResult
from plaingrad.search.space import Space
from plaingrad.search.space_file import read_space, space_of
from plaingrad.search.storage import opened
from plaingrad.search.store import BEAT_SECONDS, SILENT_SECONDS, Store
from plaingrad.search.study import Search
from plaingrad.settings import Recipe

Tell = Callable[[str | TrialResult], Any]

_SHOW_SECONDS = 60.0  # after which results and page are written anew while the search goes on, and at most a
_SHOW_SHARE = 100  # hundredth of its time
_WAIT_SECONDS = 30.0  # for the machine that makes a study to say how many trials it has


def _nobody(what: str | TrialResult) -> None:
    """A `tell` that nobody hears."""


def tune(
    recipe: Recipe | str | Path | None = None,
    space: Space | Mapping[str, Any] | str | Path | None = None,
    *,
    method: str | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    seeds: int | None = None,
    prune: str | None = None,
    seed: int | None = None,
    jobs: int = 1,
    final_seeds: int = 3,
    out: str | Path | None = None,
    storage: str | None = None,
    tell: Tell = _nobody,
    warn: Warn = silent,
) -> StudyResult:
    """Search the settings of a space for those with the best validation accuracy, then test the best.

    recipe: what each trial starts from: a Recipe, or its name or file; the space's own if not given.
    space: a Space, the tables of its file, its name or its file (see `plaingrad.search.space`).
    method: "grid", "random" or "tpe" (Bayesian, tree-structured Parzen estimators).
    trials, minutes: how many, and how long in all; a grid has as many trials as settings, and otherwise it
        is 20 trials if neither is given.
    seeds: how many runs each setting gets; their mean less its standard error decides.
    prune: "none", or "median" or "hyperband", which stop trials that fall behind.
    seed: the first of the runs' seeds, which decides the draws, too; the recipe's if not given.
    jobs: how many processes train at once; they share out the processors.
    final_seeds: with how many fresh seeds the best setting is trained again and tested; 0: not at all.
    out: the study's folder; one under runs/ if not given.
    storage: the URL of a database, such as postgresql://user@host/name, that several machines share: the same
        call on each works on one study, whose name is the folder's.
    tell: hears what goes on, in sentences and TrialResults.  `warn` hears of what went wrong without ending the search.

    >>> pg.tune("digits", {"space": {"optimizer": {"lr": [1e-3, 1e-2]}}}).best.settings

    The defaults of method, trials, seeds and prune are the space's, and else "tpe", 20, 1 and "none".

    Raises RecipeError for a space or setting that is wrong, RunError for a folder or storage that cannot be
    used, or if no trial ended well, and Interrupted if a signal came, after which `resume_study` goes on.
    """
    chosen = space if isinstance(space, Space) else _space(space)
    base = recipe if isinstance(recipe, Recipe) else _recipe(recipe, chosen)
    if storage is not None and out is None:
        raise RecipeError(
            "a study in a database needs a name that all its machines know: give --out, whose last part it is"
        )
    base = chosen.applied(base)
    plan = Plan(
        base.model_copy(update={"data": base.data.absolute()}),
        chosen,
        method=method or chosen.method or "tpe",
        prune=prune or chosen.prune or "none",
        seeds=chosen.seeds or 1 if seeds is None else seeds,
        seed=base.seed if seed is None else seed,
        final_seeds=final_seeds,
        minutes=minutes,
        shared=storage is not None,
    )
    plan = replace(plan, trials=plan.budget(chosen.trials if trials is None and minutes is None else trials))
    crew = Crew(jobs)  # its processes start while we go on
    try:
        folder = _shared(Path(out), plan) if storage is not None and out is not None else _own(out, plan)
        with _locked(folder, storage), opened(folder.path, folder.name, plan, storage) as store:
            if store.made:
                store.plan_minutes(minutes)
                store.plan_trials(plan.trials)
            else:
                _wait_for_plan(store)
            return _search(folder, store, crew, tell, warn)
    finally:
        crew.dismiss()


def resume_study(
    study: str | Path,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    jobs: int = 1,
    storage: str | None = None,
    tell: Tell = _nobody,
    warn: Warn = silent,
) -> StudyResult:
    """Go on with a study: its unfinished trials, and more of them up to `trials` or until `minutes`, in all.

    If one of the two is given, the study's old limits no longer hold.  The other arguments, and what is raised,
    are as in `tune`.  A study in a database needs its URL again, since that may hold a password and is written
    nowhere.
    """
    folder = StudyFolder.open(study)
    plan = folder.plan()
    folder.shared = plan.shared
    check_storage(study, shared=plan.shared, storage=storage)
    wanted = plan.trials if trials is None else plan.budget(trials)
    if minutes is not None:
        require_minutes(minutes)
    crew = Crew(jobs)
    try:
        with _locked(folder, storage), opened(folder.path, folder.name, plan, storage) as store:
            store.take_over()
            if trials is not None or minutes is not None:  # the new limits take the place of the old
                store.plan_minutes(minutes)
                store.plan_trials(0 if trials is None else max(wanted, store.planned or 0))
            elif store.planned is None:
                store.plan_minutes(plan.minutes)
                store.plan_trials(wanted)
            return _search(folder, store, crew, tell, warn)
    finally:
        crew.dismiss()


def _search(folder: StudyFolder, store: Store, crew: Crew, tell: Tell, warn: Warn) -> StudyResult:
    left = math.inf if store.minutes is None else 60 * store.minutes - store.seconds
    if left <= 0:
        tell(f"the {store.minutes:g} minutes of this study are used up: --minutes gives it more")
    shown = time.monotonic(), 0.0

    def ended(trial: TrialResult) -> None:
        nonlocal shown
        tell(trial)
        since = time.monotonic()
        if since - shown[0] > max(_SHOW_SECONDS, _SHOW_SHARE * shown[1]):  # for whoever looks at it meanwhile
            _write(folder, result_of(folder, store), warn)
            shown = time.monotonic(), time.monotonic() - since

    search = Search(
        folder, store, crew, until=time.monotonic() + left, bounded=bool(store.planned), tell=ended, warn=warn
    )
    with Interruption() as interruption:
        try:
            search.run(interruption)
            _release(store, interruption)
            best = result_of(folder, store).best
            if best is None:
                pass
            elif store.elsewhere == 0 and store.concludes():
                with store.conclusion():
                    conclude(folder, store, crew, best, interruption, tell=tell, warn=warn)
            else:
                tell(
                    "another machine is at it, and will test the best setting; if it has died, --resume does so"
                )
        except Interrupted as interrupt:
            raise Interrupted(f"{interrupt}; go on with: {folder.resume_command}", interrupt.signal) from None
        finally:
            result = result_of(folder, store)
            _write(folder, result, warn)
    if result.best is None and result.trials and not store.waiting and not store.elsewhere:
        first = result.trials[0]
        raise SearchError(
            f"no trial of {folder.path} ended well; trial {first.number}: {first.failure or first.state}"
        )
    return result


def _release(store: Store, interruption: Interruption) -> None:
    """Wait until the trials of machines that died no longer count as running."""
    until = time.monotonic() + SILENT_SECONDS + 2 * BEAT_SECONDS
    while store.elsewhere and time.monotonic() < until:
        store.beat()
        interruption.check("while other machines were at their trials")
        time.sleep(0.5)


def _write(folder: StudyFolder, result: StudyResult, warn: Warn) -> None:
    """results.csv and the page; what is found stands in the storage, too, if the disk does not take them."""
    from plaingrad.search.page import write_page  # draws, so it is slow to import

    try:
        write_whole(folder.results_file, result.to_csv().encode("utf-8", "backslashreplace"))
        write_page(result)
    except OSError as error:
        warn(
            f"could not write {error.filename or folder.path}: {error.strerror}; make room, and have it written "
            f"with: {folder.resume_command}"
        )


def _space(space: Mapping[str, Any] | str | Path | None) -> Space:
    if space is None:
        raise RecipeError("what is to be searched? give a space: its file, or the name of a built-in one")
    return space_of(space) if isinstance(space, Mapping) else read_space(space)


def _recipe(recipe: str | Path | None, space: Space) -> Recipe:
    named = space.recipe if recipe is None else recipe
    if named is None:
        raise RecipeError(f"{space.source} names no recipe: say which one the trials start from")
    return read_recipe(named)


def _own(out: str | Path | None, plan: Plan) -> StudyFolder:
    folder = StudyFolder.new(out, plan.recipe.name)
    folder.write_plan(plan)
    return folder


def _shared(out: Path, plan: Plan) -> StudyFolder:
    """The folder for our part of a study that machines share: theirs, too, where they share the disk."""
    folder = StudyFolder(out, shared=True)
    if not folder.plan_file.is_file():
        folder.make()
        folder.write_plan(plan)
    elif folder.plan().digest != plan.digest:
        raise RunError(
            f"{out} holds a study that searches another space, or another recipe, or in another way: undo the "
            "change, or begin a new study under another --out"
        )
    return folder


@contextlib.contextmanager
def _locked(folder: StudyFolder, storage: str | None) -> Iterator[None]:
    """Alone in the folder, unless the storage is made for several."""
    if storage is None:
        folder.lock()
    try:
        yield
    finally:
        folder.unlock()


def _wait_for_plan(store: Store) -> None:
    """Wait for the machine that has just made the study to say how many trials there are."""
    until, seen = time.monotonic() + _WAIT_SECONDS, 0
    while store.planned is None:
        if store.waiting > seen:
            until, seen = time.monotonic() + _WAIT_SECONDS, store.waiting
        if time.monotonic() > until:
            raise RunError(
                "the study was begun and never told how many trials it has: begin a new one under another --out"
            )
        time.sleep(0.2)
