"""Searches that meet death or bad luck at the worst moment, which is put there: nothing is lost, and nothing hangs."""

import os
import signal
import subprocess
import sys
import time

import pytest

from plaingrad.search.database import database as opened_database

from .test_kills import finishes
from .test_machines import SOON, machine
from .test_workers import TRIALS, found, resume, stored, tune, uninterrupted


def ends(search, code=0, seconds=40):
    try:
        search.process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        pytest.fail(f"hangs\n{search.out}\n{search.err}")
    return search.ended(code)


def test_a_worker_that_cannot_start_is_told_at_once(tmp_path):
    before = "import sys; sys.executable = '/bin/false'; crew._PATIENCE = 1e6"
    with tune(tmp_path, before=before) as search:
        ends(search, 1)


def test_killed_between_failing_a_trial_and_adding_it_anew(tmp_path):
    before = (
        "import os; from plaingrad.search import store; store.add_again = lambda *a: os.kill(os.getpid(), 9)"
    )
    with tune(tmp_path, before=before) as search:
        search.until_begun(tmp_path / "study/trials/0001-seed-0")
        os.kill(search.workers[0], signal.SIGKILL)
        search.process.wait()
    finishes(tmp_path)


def test_killed_before_the_number_of_trials_was_noted(tmp_path):
    before = """
import os
from plaingrad.search import store
store.Store.plan_trials = lambda *a: os.kill(os.getpid(), 9)
"""
    with tune(tmp_path, before=before) as search:
        search.process.wait()
    with resume(tmp_path) as again:
        ends(again)
    assert len(again.answer["trials"]) == TRIALS


_MINUTES = """
from plaingrad.search import study
from plaingrad.search.crew import Crew
give = study.Search._listen
def listen(self):
    give(self)
    if self.ended >= 1 and self.crew.busy:
        self.until = 0.0
study.Search._listen = listen
"""


def test_a_worker_that_dies_while_it_is_told_to_stop_at_the_end_of_the_time(tmp_path):
    before = (
        _MINUTES
        + """
stop = Crew.stop
def killing(self):
    for own in self.busy:
        own._process.kill(); own._process.wait()
    return stop(self)
Crew.stop = killing
"""
    )
    with tune(tmp_path, "--minutes", 5, before=before) as search:
        ends(search)
    assert len(search.answer["test_set_openings"]) == 1


def test_a_run_that_ends_just_as_it_is_told_to_stop(tmp_path):
    before = (
        _MINUTES
        + """
import time
stop = Crew.stop
def late(self):
    until = time.monotonic() + 30
    busy = self.busy
    while busy and time.monotonic() < until and not any(
        m and m["is"] == "done" for _, m in list(self._inbox.queue)):
        time.sleep(0.01)
    return stop(self)
Crew.stop = late
"""
    )
    with tune(tmp_path, "--minutes", 5, before=before) as search:
        ends(search)
    assert "failed with the fresh seed" not in search.err
    assert len(search.answer["test_set_openings"]) == 1


def test_a_machine_killed_before_its_first_beat(tmp_path, database):
    before = "import os; from plaingrad.search import store; store.Store._beat = lambda *a: os.kill(os.getpid(), 9)"
    with machine(tmp_path / "one", database, before) as first:
        first.process.wait()
    with machine(tmp_path / "two", database, SOON) as second:
        ends(second, seconds=45)
    assert found(second.answer) == uninterrupted()


def test_the_command_that_goes_on_with_a_shared_study_says_storage(tmp_path, database):
    cwd = tmp_path / "one"
    with machine(cwd, database, "import os; crew.Crew.next = lambda *a: os.kill(os.getpid(), 15)") as search:
        search.ended(143)
    assert "--storage" in search.err


def test_python_is_gone(tmp_path):
    with tune(tmp_path, before="import sys; sys.executable = '/nowhere/python'") as search:
        ends(search, 1)


def test_no_connection_is_left_open_to_a_database_of_another_optuna(tmp_path, postgres, database):
    code = """
import gc, sys, warnings
warnings.simplefilter("error", ResourceWarning)
sys.unraisablehook = lambda told: print(told.exc_value)
from plaingrad.search.database import database
try:
    with database(sys.argv[1]): pass
except Exception as error: print(type(error).__name__)
gc.collect()
"""
    with opened_database(database):
        pass
    postgres.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'", database.rpartition("/")[2])
    done = subprocess.run([sys.executable, "-c", code, database], capture_output=True, text=True)
    assert done.stdout == "RunError\n"


def test_two_resumes_at_once_test_once(tmp_path, database):
    one, two = tmp_path / "one", tmp_path / "two"
    killed = "import os; from plaingrad.search import tuning; tuning.conclude = lambda *a, **k: os.kill(os.getpid(), 9)"
    with machine(one, database, SOON + killed) as first:  # searched to the end, and not tested
        first.process.wait()
    with machine(two, database, SOON) as second:
        second.ended()
    time.sleep(8)  # the first has been silent for longer than that now
    said = [resume(cwd, "--storage", database, before=SOON) for cwd in (one, two)]
    with said[0], said[1]:
        for own in said:
            ends(own)
    assert len(stored(one / "study", database)["test_set_openings"]) == 1


def test_a_worker_of_one_seed_dies_while_another_seed_is_trained(tmp_path):
    """The trial is run again only when nobody is in its folders any more."""
    before = """
import os
give = crew.Process.give
def noted(self, task, **message):
    with open("given", "a") as file:
        print(os.path.basename(message["folder"]), self._process.pid, file=file)
    give(self, task, **message)
crew.Process.give = noted
"""
    run = tmp_path / "study/trials"
    seeds = ("--trials", 1, "--seeds", 3, "--set", "training.epochs=200")  # long enough to be met at work
    with tune(tmp_path, *seeds, "--jobs", 2, before=before) as search:
        search.until_begun(run / "0000-seed-1")
        search.until_begun(run / "0000-seed-2")
        given = [line.split() for line in (tmp_path / "given").read_text().splitlines()]
        os.kill(int(dict(given)["0000-seed-1"]), signal.SIGKILL)
        search.ended()
    (trial,) = search.answer["trials"]
    assert trial["state"] == "complete"
    assert len(trial["accuracies"]) == 3
    assert search.err.count("the trial is run again") == 1
    for seed in (1, 2):  # each went on where it stood: nobody swept its folder from under another
        assert '"resume"' in (run / f"0000-seed-{seed}" / "history.jsonl").read_text()
    with tune(tmp_path, *seeds, out="other") as other:
        other.ended()
    assert other.answer["trials"][0]["accuracies"] == trial["accuracies"]
