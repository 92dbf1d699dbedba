"""A study in PostgreSQL, which several machines share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, ProgrammingError, SQLAlchemyError

from plaingrad.errors import RecipeError, RunError, StorageError
from plaingrad.search.attempts import run_stale_again
from plaingrad.search.methods import quiet
from plaingrad.search.store import BEAT_SECONDS, SILENT_SECONDS

_CONNECT_SECONDS = 10
_TRIES = 5  # to make the tables that another machine is making at the same moment


@contextlib.contextmanager
def database(text: str) -> Iterator[RDBStorage]:
    """The storage at a URL within a `with` block; what it raises there is put in a sentence without the password.

    Raises RecipeError for a URL that is none, StorageError for a database that is out of reach, and RunError for
    one that another version of Optuna set up.
    """
    with _explained():
        storage = _connected(text)
        try:
            if storage.get_current_version() != storage.get_head_version():
                raise RunError(
                    f"the database was set up by another version of Optuna than {optuna.__version__}, the one here: "
                    "use the same version on all machines, or another database"
                )
            yield storage
        finally:
            storage.engine.dispose()


def _connected(text: str) -> RDBStorage:
    try:
        url = make_url(text)
        if not url.drivername.startswith("postgres"):
            raise ValueError
    except (ArgumentError, ValueError):
        raise RecipeError(
            "--storage must be the URL of a PostgreSQL database, such as postgresql://user:password@host/name "
            "(signs such as @ in a password are written %40)"
        ) from None
    url = url.set(drivername="postgresql+psycopg")
    for attempt in range(1, _TRIES + 1):
        try:
            with quiet():
                return RDBStorage(
                    url.render_as_string(hide_password=False),
                    engine_kwargs={
                        "pool_pre_ping": True,
                        "connect_args": {"connect_timeout": _CONNECT_SECONDS},
                    },
                    heartbeat_interval=BEAT_SECONDS,
                    grace_period=SILENT_SECONDS,
                    heartbeat_stale_trial_callback=run_stale_again,
                    skip_compatibility_check=True,  # which would leave connections open; it is made below
                )
        except (IntegrityError, ProgrammingError) as error:
            made_by_another = type(error.orig).__name__ in (
                "UniqueViolation",
                "DuplicateObject",
                "DuplicateTable",
            )
            if not made_by_another or attempt == _TRIES:
                raise
            time.sleep(0.2)
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise StorageError(
            f"the database does not do what is asked of it: {_cause(error)}; see to that, and give the same command "
            "again, or --resume: finished trials are in the database, others go on from their last checkpoint"
        ) from None
    except ImportError:
        raise RecipeError(
            "a study in PostgreSQL needs psycopg: install it with pip install 'plaingrad[postgresql]'"
        ) from None


def _cause(error: BaseException) -> str:
    """The innermost error's first line."""
    inner = error.__cause__ or error
    said = str(getattr(inner, "orig", None) or inner).strip().splitlines()
    return said[0] if said else type(inner).__name__
