"""A PostgreSQL server of the tests' own: started in a temporary folder, on loopback, gone afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
fsync = off                # the data outlives the server, never the machine
full_page_writes = off
shared_buffers = 16MB
autovacuum = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


def find_program(name: str) -> str | None:
    """Where `initdb` or `postgres` is: on the PATH, or where Debian keeps them (the newest version)."""

    def version(program: Path) -> float:
        number = program.parent.parent.name
        return float(number) if number.replace(".", "", 1).isdigit() else 0.0

    installed = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    return shutil.which(name) or next(map(str, sorted(installed, key=version, reverse=True)), None)


def _program(name: str) -> str:
    path = find_program(name)
    assert path, f"{name} is not installed"
    return path


class Server:
    """A server with a random password that listens on a free port of 127.0.0.1.

    Making one lays out its files and does not start it; use it in a `with` statement, which starts it, and
    stops it and deletes its files at the end. A test may `stop()` it and `start()` it again: the port and
    what was committed stay.
    """

    user = "plaingrad"

    def __init__(self) -> None:
        # Signs that a URL must escape: a URL pasted together without care fails in every test.
        self.password = secrets.token_urlsafe(18) + "@/%"
        self.folder = Path(tempfile.mkdtemp(prefix="plaingrad-postgres-"))
        try:
            self._lay_out()
        except BaseException:
            self._delete()
            raise

    def _lay_out(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[Any] | None = None
        self._data = self.folder / "data"
        self._log = self.folder / "log"
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.password)

        # Nobody's PGPORT or PGDATA; messages in English.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        self._surroundings: dict[str, Any] = {"cwd": self.folder, "env": environment | {"LC_ALL": "C"}}
        # PostgreSQL refuses to run as root; its package brings a user for it.
        if os.geteuid() == 0:
            self._surroundings |= {"user": "postgres", "group": "postgres", "extra_groups": ()}
            for path in (self.folder, password):
                shutil.chown(path, "postgres", "postgres")

        made = subprocess.run(
            [
                *(_program("initdb"), f"--pgdata={self._data}", "--no-sync", "--locale=C", "--encoding=UTF8"),
                *("--auth=scram-sha-256", f"--username={self.user}", f"--pwfile={password}"),
            ],
            capture_output=True,
            text=True,
            **self._surroundings,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed\n{made.stdout}\n{made.stderr}")
        password.unlink()
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION.format(port=self.port, folder=self.folder))

    @property
    def url(self) -> str:
        """The address of the database that every server has."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The address of a database, as SQLAlchemy wants it for psycopg 3."""
        return f"postgresql+psycopg://{self._authority}/{database}"

    @property
    def _authority(self) -> str:
        return f"{self.user}:{quote(self.password, safe='')}@127.0.0.1:{self.port}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one SQL statement as the server's owner, outside any transaction."""
        import psycopg

        address = f"postgresql://{self._authority}/{database}"
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start the server and wait until it answers; nothing happens where it runs already."""
        import psycopg

        if self._process:
            return
        # A child of ours, not of `pg_ctl`: then it is ours to wait for, and Ctrl-C is not for it.
        command = [_program("postgres"), "-D", str(self._data)]
        with self._log.open("ab") as log:
            self._process = process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **self._surroundings
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.execute("SELECT 1")
                break
            except psycopg.OperationalError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"PostgreSQL did not start\n{self._log.read_text()}") from error
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server at once, as a crash would: open connections break, committed data stay."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=60)
            self._process = None

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.stop()
        finally:
            self._delete()

    def _delete(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
