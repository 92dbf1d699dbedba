"""Where a study is stored: a journal in its folder, or a database that several machines share."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock

from plaingrad.errors import RunError, StorageError
from plaingrad.search.methods import pruner
from plaingrad.search.plan import VERSION, Plan
from plaingrad.search.store import Store

optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextlib.contextmanager
def opened(folder: Path, name: str, plan: Plan, url: str | None) -> Iterator[Store]:
    """The store of a study, made if it is not there yet, within a `with` block.

    Raises in a sentence, from within the block, too: RecipeError for a URL that is none, StorageError for a
    storage that is out of reach, and RunError for one that is damaged or of another version, or holds another
    study of that name.
    """
    with _journal(folder / "journal.log") if url is None else _database(url) as own:
        study, made = _study(own, name, plan)
        yield Store(study, own, plan, made=made)


@contextlib.contextmanager
def read_only(folder: Path, name: str, plan: Plan, url: str | None) -> Iterator[Store]:
    """The store of a study that somebody else may be searching, within a `with` block: nothing in it may be changed.

    Of a journal only the records that are whole by now are seen, and its folder is not touched.  Raises as `opened`
    does, and RunError for a study that has not begun.
    """
    with _copied(folder / "journal.log") if url is None else _database(url) as storage:
        names = optuna.get_all_study_names(storage)
        if url is None and len(names) == 1:
            name = names[0]  # a folder may have been copied, or be called otherwise by now
        if name not in names:
            raise RunError(f"the study {name} has not begun: there is nothing to show yet")
        study = optuna.load_study(study_name=name, storage=storage)
        _check_version(study)
        yield Store(study, storage, plan, made=False)


def _database(url: str) -> contextlib.AbstractContextManager[BaseStorage]:
    from plaingrad.search.database import database  # is slow to import

    return database(url)


@contextlib.contextmanager
def _copied(path: Path) -> Iterator[BaseStorage]:
    try:
        lines = _lines(path)
    except FileNotFoundError:
        lines = []
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from None
    yield _replayed(path, _Copy(lines))


@contextlib.contextmanager
def _journal(path: Path) -> Iterator[BaseStorage]:
    """A journal that nobody else has open: what a kill has left behind is put right."""
    try:
        _repair(path)
        yield _replayed(path, JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))
    except BrokenPipeError:
        raise  # of who listens to the search, not of the disk
    except OSError as error:
        raise StorageError(
            f"{error.filename or path} cannot be read or written: {error.strerror}; see to that, then --resume"
        ) from None


def _replayed(path: Path, journal: BaseJournalBackend) -> BaseStorage:
    try:
        return JournalStorage(journal)
    except (AssertionError, KeyError, TypeError, ValueError):
        raise RunError(
            f"{path} is damaged: a record does not fit those before it; bring the file back from a backup, or begin a "
            "new study"
        ) from None


def _repair(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.lock")  # of a search that was killed while it wrote
    with contextlib.suppress(FileNotFoundError):
        os.truncate(path, sum(len(line) for line in _lines(path)))  # a last line that the kill cut short


def _lines(path: Path) -> list[bytes]:
    """The whole lines of a journal."""
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not _is_record(line):
            raise RunError(
                f"{path}: line {number} is not a record of a study; bring the file back from a backup, or begin a "
                "new study"
            )
    return lines


class _Copy(BaseJournalBackend):
    """The records that a journal held when it was read, as Optuna takes them."""

    def __init__(self, lines: list[bytes]) -> None:
        self._records = [json.loads(line) for line in lines]

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The records from that number on."""
        return iter(self._records[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Never called by who only reads."""
        raise AssertionError("a study that is only read was written to")


def _is_record(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and "op_code" in record


def _study(storage: BaseStorage, name: str, plan: Plan) -> tuple[optuna.Study, bool]:
    """The study of that name, and whether it was made only now."""
    told = {"version": VERSION, "digest": plan.digest}
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", pruner=pruner(plan)
        )
    except DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage, pruner=pruner(plan))
    else:
        study.set_user_attr("plan", told)
        return study, True
    _check_version(study)
    if _told(study) != told:
        raise RunError(
            f"the study {name} searches another space, or another recipe, or in another way than this: undo the "
            "change, or begin a new study under another --out"
        )
    return study, False


def _check_version(study: optuna.Study) -> None:
    """Raise RunError for a study of another version than this plaingrad reads."""
    found = _told(study)
    if isinstance(found, dict) and found.get("version") != VERSION:
        raise RunError(
            f"the study {study.study_name} is of version {found.get('version')}, and this plaingrad reads version "
            f"{VERSION}: go on with the plaingrad that began it, or begin a new study under another --out"
        )


def _told(study: optuna.Study) -> Any:
    """What a study's maker says that it is, which may be a moment after it was made."""
    for _ in range(25):
        if "plan" in study.user_attrs:
            break
        time.sleep(0.2)
    return study.user_attrs.get("plan")
