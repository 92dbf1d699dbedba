"""A PostgreSQL server for the tests of a search on several machines, and an empty database for each."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from .postgres import Server, find_program


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running server, one for all tests; tests are skipped where PostgreSQL is not installed."""
    needed = "install PostgreSQL (Debian: postgresql) and psycopg (pip install '.[test]')"
    pytest.importorskip("psycopg", reason=f"psycopg is not installed: {needed}")
    if not (find_program("initdb") and find_program("postgres")):
        pytest.skip(f"there is no PostgreSQL: {needed}")
    with Server() as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The URL of an empty database, which is deleted afterwards, whoever is still connected."""
    postgres.start()  # a test before this one may have stopped it
    name = f"test_{secrets.token_hex(6)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url_of(name)
    postgres.start()
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
