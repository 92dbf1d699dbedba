"""The server that other tests stand on: who gets in, what is in it, and that it comes back."""

from __future__ import annotations

from typing import Any

import pytest

from .postgres import Server

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[test]'")


def connect(url: str) -> Any:
    return psycopg.connect(url.replace("+psycopg", ""), connect_timeout=10)


def tables(url: str) -> list[str]:
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    with connect(url) as connection:
        return [name for (name,) in connection.execute(query)]


@pytest.mark.parametrize("time", ["first", "again"])
def test_each_test_has_an_empty_database(postgres: Server, database: str, time: str) -> None:
    assert tables(database) == []
    with connect(database) as connection:
        connection.execute("CREATE TABLE mine (value int)")
    assert tables(database) == ["mine"]
    assert tables(postgres.url) == []


def test_nobody_gets_in_without_the_password(postgres: Server, database: str) -> None:
    for guess in ("wrong", ""):
        url = f"postgresql://{postgres.user}:{guess}@127.0.0.1:{postgres.port}/postgres"
        with pytest.raises(psycopg.OperationalError, match="password"):
            connect(url)


def test_what_was_committed_is_there_after_a_crash(postgres: Server, database: str) -> None:
    with connect(database) as connection:
        connection.execute("CREATE TABLE kept (value int)")
    open_before = connect(database)

    postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        connect(database)
    with pytest.raises(psycopg.OperationalError):
        open_before.execute("SELECT 1")
    open_before.close()

    postgres.start()
    assert tables(database) == ["kept"]


def test_a_server_leaves_nothing_behind(postgres: Server) -> None:
    def failing_test() -> None:
        with Server() as server:
            servers.append(server)
            server.execute("SELECT 1")
            raise RuntimeError("a test fails")

    servers: list[Server] = []
    with pytest.raises(RuntimeError, match="a test fails"):
        failing_test()
    assert not servers[0].folder.exists()
    with pytest.raises(psycopg.OperationalError):
        servers[0].execute("SELECT 1")
