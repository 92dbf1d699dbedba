"""Machines that share a study in PostgreSQL, each a search of its own, and what becomes of them."""

import sys
from urllib.parse import quote, unquote

import pytest
from typer.testing import CliRunner

import plaingrad as pg
from plaingrad.cli import app
from plaingrad.errors import RecipeError
from plaingrad.search.database import database as storage_at

from .test_workers import TRIALS, found, gone, resume, stored, tune, uninterrupted

HOW = """
import time
from pathlib import Path
def together(what):  # wait until both machines are here
    Path(f"../{what}-{Path.cwd().name}").touch()
    while len(list(Path("..").glob(f"{what}-*"))) < 2:
        time.sleep(0.01)
"""
# Both make the tables, ask for their first trial, and have ended, at the same moment.
TOGETHER = f"""{HOW}
from plaingrad.search import tuning
opened, run = tuning.opened, tuning.Search.run
def at_once(*arguments):
    together("opened")
    return opened(*arguments)
def in_step(self, interruption):
    together("begun")
    run(self, interruption)
    together("ended")
tuning.opened, tuning.Search.run = at_once, in_step
"""
BEGIN_TOGETHER = TOGETHER.replace('together("ended")', "")
# Silence is noticed soon, rather than after a minute.
SOON = """
from plaingrad.search import database, store
database.BEAT_SECONDS = store.BEAT_SECONDS = 1
database.SILENT_SECONDS = store.SILENT_SECONDS = 6
"""


def machine(cwd, url, before="", *more):
    """A search on a machine of its own, with a folder of its own."""
    cwd.mkdir(exist_ok=True)
    return tune(cwd, "--storage", url, *more, before=before)


def trial_numbers(cwd):
    return [int(run.name[:4]) for run in (cwd / "study/trials").iterdir()]


def assert_secret(url, *places):
    """The password stands in no file, the output of searches included."""
    told = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    files = [file for place in places for file in place.rglob("*") if file.is_file()]
    assert len(files) > 5
    for file in files:
        held = file.read_bytes()
        for password in (told, unquote(told), quote(unquote(told))):
            assert password.encode() not in held, file


def test_two_machines_share_a_study(tmp_path, database):
    one, two = tmp_path / "one", tmp_path / "two"
    with machine(one, database, TOGETHER) as first, machine(two, database, TOGETHER) as second:
        first.ended()
        second.ended()
    assert first.err == second.err == ""
    assert trial_numbers(one)
    assert trial_numbers(two)
    assert sorted(trial_numbers(one) + trial_numbers(two)) == list(range(TRIALS))
    assert found(stored(one / "study", database)) == uninterrupted()
    # Both ended together, and one of them tested the best.
    assert [(cwd / "study/final").is_dir() for cwd in (one, two)].count(True) == 1
    assert first.out.count("training the best") + second.out.count("training the best") == 1
    assert_secret(database, one, two)

    # Later nobody tests it again, and who searches something else is told so.
    with resume(one, "--storage", database) as later:
        assert found(later.ended().answer) == uninterrupted()
    three = tmp_path / "three"
    with machine(three, database, "", "--set", "training.batch_size=25") as other:
        other.ended(2)
    assert other.err.count("\n") == 1
    assert (
        "the study study searches another space, or another recipe, or in another way than this" in other.err
    )


def test_a_machine_that_falls_silent_is_stood_in_for(tmp_path, database):
    one, two = tmp_path / "one", tmp_path / "two"
    how = BEGIN_TOGETHER + SOON
    with machine(one, database, how) as first, machine(two, database, how) as second:
        first.until(lambda: (one / "study/trials").is_dir())
        [lost] = trial_numbers(one)
        first.until_begun(one / f"study/trials/{lost:04d}-seed-0")
        first.process.kill()
        first.process.wait()
        gone(first.workers)
        second.ended()
    assert sorted(trial_numbers(two)) == list(range(TRIALS))
    assert found(second.answer) == uninterrupted()
    assert_secret(database, one, two)


def test_a_machine_is_interrupted_and_goes_on(tmp_path, database):
    cwd = tmp_path / "one"
    with machine(cwd, database) as search:
        search.until_begun(cwd / "study/trials/0001-seed-0")
        search.process.terminate()
        search.ended(143)
    assert search.err.startswith(
        "plaingrad: interrupted after 1 trial; go on with: plaingrad tune --resume study"
    )
    with resume(cwd, "--storage", database) as again:
        assert found(again.ended().answer) == uninterrupted()
    assert '"resume"' in (cwd / "study/trials/0001-seed-0/history.jsonl").read_text()
    assert_secret(database, tmp_path)


def test_a_database_that_stops_is_one_sentence_and_loses_nothing(tmp_path, postgres, database):
    cwd = tmp_path / "one"
    with machine(cwd, database) as search:
        search.until_begun(cwd / "study/trials/0001-seed-0")
        postgres.stop()
        search.ended(1)
    assert search.err.count("\n") == 1
    assert search.err.startswith("plaingrad: the database does not do what is asked of it: ")
    assert "--resume" in search.err
    assert search.out.count("trial ") == 1
    postgres.start()
    with resume(cwd, "--storage", database, before=SOON) as again:
        assert found(again.ended().answer) == uninterrupted()
    assert_secret(database, tmp_path)


def called(tmp_path, url):
    """The exit code, and what is printed, of a search with a storage that does not work."""
    space = tmp_path / "space.toml"
    space.write_text("[space]\noptimizer.lr = [1e-3, 1e-2]\n")
    given = ["tune", "digits", "--space", space, "--out", tmp_path / "study", "--storage", url]
    result = CliRunner().invoke(app, list(map(str, given)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    assert result.stderr.startswith("plaingrad: ")
    assert result.stderr.count("\n") == 1
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    "url",
    [
        "",
        "study",
        "sqlite:///study.db",
        "mysql://me@host/name",
        "postgresql://me:x@host:port/name",
        "postgres",
    ],
)
def test_a_url_that_is_none(tmp_path, url):
    code, said = called(tmp_path, url)
    assert code == 2
    assert "--storage must be the URL of a PostgreSQL database, such as postgresql://" in said


@pytest.fixture
def broken(request, postgres, database):
    """A URL that leads nowhere, and what is said of it."""
    user, _, rest = database.partition("://")[2].partition(":")
    password, _, place = rest.rpartition("@")
    host, _, name = place.partition("/")
    return {
        "nobody listens": (f"postgresql://{user}:{password}@127.0.0.1:1/{name}", "refused"),
        "wrong password": (
            f"postgresql://{user}:not{password}@{host}/{name}",
            "password authentication failed",
        ),
        "no such database": (f"postgresql://{user}:{password}@{host}/missing", '"missing" does not exist'),
    }[request.param]


@pytest.mark.parametrize("broken", ["nobody listens", "wrong password", "no such database"], indirect=True)
def test_a_database_out_of_reach(tmp_path, database, broken):
    url, words = broken
    code, said = called(tmp_path, url)
    assert code == 1
    assert said.startswith("plaingrad: the database does not do what is asked of it: ")
    assert words in said
    secret = unquote(database.partition("://")[2].rpartition("@")[0].partition(":")[2])
    assert secret not in said
    assert quote(secret, safe="") not in said


def test_a_database_of_another_optuna(tmp_path, postgres, database):
    with storage_at(database):  # makes the tables
        pass
    postgres.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'", database.rpartition("/")[2])
    with machine(tmp_path / "one", database) as search:
        search.ended(2)
    assert search.err.startswith("plaingrad: the database was set up by another version of Optuna than")
    assert search.err.count("\n") == 1


def test_without_psycopg(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    code, said = called(tmp_path, "postgresql://me:secret@127.0.0.1:1/name")
    assert code == 2
    assert said.endswith("install it with pip install 'plaingrad[postgresql]'\n")
    assert "secret" not in said


def test_how_a_shared_study_is_gone_on_with(tmp_path, database):
    cwd = tmp_path / "one"
    with machine(
        cwd, database, before="import os; crew.Crew.next = lambda *given: os.kill(os.getpid(), 15)"
    ) as search:
        search.ended(143)
    result = CliRunner().invoke(app, ["tune", "--resume", str(cwd / "study")])
    assert result.exit_code == 2
    assert result.stderr == f"plaingrad: {cwd}/study is stored in a database: give its URL with --storage\n"


def test_a_shared_study_needs_a_name():
    with pytest.raises(RecipeError, match="a study in a database needs a name .* give --out"):
        pg.tune("digits", {"space": {"optimizer": {"lr": [1e-3, 1e-2]}}}, storage="postgresql://host/name")
