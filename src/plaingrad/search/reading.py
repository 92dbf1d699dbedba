"""What a study has found so far, for whoever looks at it: also while a search goes on, which does not notice."""

from __future__ import annotations

from pathlib import Path

from plaingrad.errors import RunError
from plaingrad.search.folder import StudyFolder
from plaingrad.search.results import StudyResult, ranked
from plaingrad.search.storage import read_only
from plaingrad.search.store import Store


def read_study(study: str | Path, *, storage: str | None = None) -> StudyResult:
    """What the study in a folder has found so far; nothing is written, and no lock is needed.

    A study in a database needs its URL again, since that is written nowhere.  Raises RunError for a folder that is
    no study, or one that is damaged or has not begun, and StorageError for a storage that is out of reach.
    """
    folder = StudyFolder.open(study)
    plan = folder.plan()
    check_storage(study, shared=plan.shared, storage=storage)
    with read_only(folder.path, folder.name, plan, storage) as store:
        return result_of(folder, store)


def check_storage(study: str | Path, *, shared: bool, storage: str | None) -> None:
    """Raise RunError if a study in a database comes without its URL, or one in its own folder with one."""
    if shared and storage is None:
        raise RunError(f"{study} is stored in a database: give its URL with --storage")
    if storage is not None and not shared:
        raise RunError(f"{study} is stored in its own folder: leave out --storage")


def result_of(folder: StudyFolder, store: Store) -> StudyResult:
    """What a study has found so far."""
    plan = store.plan
    return StudyResult(
        name=folder.name,
        path=folder.path,
        recipe=plan.recipe.name,
        method=plan.method,
        prune=plan.prune,
        seeds=plan.seeds,
        scales=plan.space.scales,
        trials=ranked(store.results()),
        importance=store.importance(),
        openings=store.openings,
        seconds=store.seconds,
    )
