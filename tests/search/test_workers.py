"""The processes of a search: workers that die, that cannot start, that share the processors.

What the tests of kills and of machines need, too, stands here: a search as a process of its own.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import plaingrad as pg
from plaingrad.errors import RecipeError
from plaingrad.search import crew
from plaingrad.search.folder import StudyFolder
from plaingrad.search.storage import opened
from plaingrad.search.tuning import result_of

TRIALS = 3
_SPACE = """
[space]
optimizer.lr = { log-uniform = [1e-3, 1e-1] }
network.dropout = { uniform = [0.0, 0.5] }
"""
_TINY = ("training.epochs=30", "training.checkpoint_seconds=0", "network.hidden=[4]", "data.validation=200")
# The settings of a random search depend on the seed alone, so that studies can be compared to the bit.
_CHOICES = ("--method", "random", "--trials", TRIALS, "--final-seeds", 1)
# A shell that starts tests in the background has them, and what they start, ignore Ctrl-C.
_START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from plaingrad.search import crew
begin = crew.Process.__init__
def noted(self, *arguments):
    begin(self, *arguments)
    with open({pids!r}, "a") as file:
        print(self._process.pid, file=file)
crew.Process.__init__ = noted
{before}
from plaingrad.cli import main
main()
"""


class Running:
    """`plaingrad` with `arguments` as a process of its own, which is killed at the end of a `with` block.

    before: Python to run in it first.  stdout: where its output goes; else it is kept, as `out`.
    """

    def __init__(self, *arguments, cwd, before="", stdout=None):
        self.folder = Path(tempfile.mkdtemp(dir=cwd, prefix="running-"))
        self._pids = self.folder / "pids"
        code = _START.format(pids=str(self._pids), before=before)
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, *map(str, arguments)],
                cwd=cwd,
                stdout=stdout or out,
                stderr=err,
            )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        for pid in filter(alive, self.workers):
            os.kill(pid, signal.SIGKILL)

    @property
    def out(self):
        return (self.folder / "out").read_text()

    @property
    def err(self):
        return (self.folder / "err").read_text()

    @property
    def workers(self):
        """The processes that it ever had as workers, oldest first."""
        return [int(line) for line in self._pids.read_text().split()] if self._pids.is_file() else []

    def until(self, happens):
        """Wait until something happens, which must be before it ends."""
        deadline = time.monotonic() + 120
        while not happens():
            assert self.process.poll() is None, f"ended too early\n{self.out}\n{self.err}"
            assert time.monotonic() < deadline, f"waited in vain\n{self.out}\n{self.err}"
            time.sleep(0.01)

    def until_begun(self, run):
        """Wait until a run folder holds a checkpoint."""
        self.until(lambda: any((run / "checkpoints").glob("*.safetensors")))

    def ended(self, code=0):
        """Wait for its end; it leaves no worker behind, and no traceback."""
        assert self.process.wait(timeout=120) == code, f"{self.out}\n{self.err}"
        assert "Traceback" not in self.err
        gone(self.workers)
        return self

    @property
    def answer(self):
        """What it printed for machines."""
        return json.loads(self.out.splitlines()[-1])


def alive(pid):
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids):
    """Wait until none of these processes runs."""
    deadline = time.monotonic() + 60
    while any(map(alive, pids)):
        assert time.monotonic() < deadline, "a worker outlives its search"
        time.sleep(0.01)


def tune(cwd, *more, out="study", **how):
    """A search of three trials of a tiny network on the digits."""
    (cwd / "space.toml").write_text(_SPACE)
    changes = [word for change in _TINY for word in ("--set", change)]
    given = ("tune", "digits", "--space", "space.toml", *changes, *_CHOICES, "--out", out, "--json", *more)
    return Running(*given, cwd=cwd, **how)


def resume(cwd, *more, out="study", **how):
    """The search that goes on with a study."""
    return Running("tune", "--resume", out, "--json", *more, cwd=cwd, **how)


def stored(folder, url=None):
    """What a study's storage holds, in the form of `Running.answer`."""
    own = StudyFolder.open(folder)
    with opened(own.path, own.name, own.plan(), url) as store:
        return result_of(own, store).to_dict()


def found(answer):
    """What a study has found, to the bit: each trial by its number, and the test of the best."""
    trials = {own["number"]: (own["state"], own["settings"], own["accuracies"]) for own in answer["trials"]}
    assert len(trials) == len(answer["trials"])
    tests = [(own["trial"], list(own["seeds"]), list(own["test"])) for own in answer["test_set_openings"]]
    return dict(sorted(trials.items())), tests


@functools.cache
def uninterrupted():
    """What the study finds when nothing happens to it."""
    with tempfile.TemporaryDirectory() as cwd, tune(Path(cwd)) as search:
        trials, tests = found(search.ended().answer)
    assert [state for state, *_ in trials.values()] == ["complete"] * TRIALS
    assert len(tests) == 1
    return trials, tests


def test_a_worker_that_is_killed_is_replaced_and_its_trial_run_again(tmp_path):
    with tune(tmp_path) as search:
        search.until_begun(tmp_path / "study/trials/0000-seed-0")
        os.kill(search.workers[0], signal.SIGKILL)
        search.ended()
        assert len(search.workers) == 2
    assert "the worker of trial 0 died (killed by signal 9): the trial is run again" in search.err
    assert found(search.answer) == uninterrupted()


def test_ctrl_c_for_a_worker_alone_costs_nothing(tmp_path):
    with tune(tmp_path) as search:
        search.until_begun(tmp_path / "study/trials/0001-seed-0")
        os.kill(search.workers[0], signal.SIGINT)
        search.ended()
        assert len(search.workers) == 1
    assert found(search.answer) == uninterrupted()
    history = (tmp_path / "study/trials/0001-seed-0/history.jsonl").read_text()
    assert history.count('"resume"') == 1


def test_a_trial_that_takes_three_workers_with_it_has_failed(tmp_path):
    history = tmp_path / "study/trials/0000-seed-0/history.jsonl"
    read = 0

    def grew():
        return history.is_file() and history.stat().st_size > read

    with tune(tmp_path, "--jobs", 1) as search:
        for deaths in (1, 2, 3):
            search.until(grew)
            os.kill(search.workers[-1], signal.SIGKILL)
            search.until(lambda count=deaths: len(search.workers) == count + 1)
            read = history.stat().st_size
        search.ended()
        assert len(search.workers) == 4
    assert search.err.count("the trial is run again") == 2
    assert "trial 0 has failed: its workers died, at last killed by signal 9" in search.err
    trials, tests = found(search.answer)
    expected, tests_expected = uninterrupted()
    assert trials[0][0] == "failed"
    assert trials[0][1] == expected[0][1]
    assert {number: trials[number] for number in (1, 2)} == {number: expected[number] for number in (1, 2)}
    assert tests_expected[0][0] == 0 or tests == tests_expected


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import numpy\n", "ImportError: no numbers today"),
        ("raise SystemExit(7)\n", "exit code 7"),
        ("import os; os.kill(os.getpid(), 9)\n", "killed by signal 9"),
    ],
)
def test_workers_that_cannot_start_are_one_sentence(tmp_path, program, words):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "numpy.py").write_text("raise ImportError('no numbers today')\n")
    starts = tmp_path / "starts"
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nopen({str(starts)!r}, 'a').write('.')\n{program}")
    python.chmod(0o700)
    change = f"import os, sys; sys.executable = {str(python)!r}; os.environ['PYTHONPATH'] = {str(broken)!r}"
    with tune(tmp_path, before=change) as search:
        search.ended(1)
    assert search.err == f"plaingrad: a worker of the search could not start: {words}\n"
    assert starts.read_text() == "."


def test_output_that_nobody_reads_does_not_end_the_search(tmp_path):
    theirs, ours = os.pipe()
    with tune(tmp_path, stdout=ours) as search:
        os.close(ours)
        with open(theirs) as lines:
            assert lines.readline().startswith("trial 0  val ")
        search.ended()
        assert search.err == ""
    assert found(stored(tmp_path / "study")) == uninterrupted()


@pytest.mark.parametrize(
    ("processors", "jobs", "share"), [(7, 2, "3"), (8, 2, "4"), (3, 3, "1"), (5, 1, "5")]
)
def test_workers_share_out_the_processors(tmp_path, monkeypatch, processors, jobs, share):
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nenv > {tmp_path}/begun-$$\nmv {tmp_path}/begun-$$ {tmp_path}/env-$$\nread line\n"
    )
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(crew, "processors", lambda: processors)
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    workers = crew.Crew(jobs)
    try:
        deadline = time.monotonic() + 60
        while len(surroundings := sorted(tmp_path.glob("env-*"))) < jobs:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        workers.dismiss()
    assert len(surroundings) == jobs
    for file in surroundings:
        told = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
        names = {name for name in told if name.endswith(("_NUM_THREADS", "_MAXIMUM_THREADS"))}
        assert names >= {
            "PLAINGRAD_NUM_THREADS",
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
        }
        assert {told[name] for name in names} == {share}


@pytest.mark.parametrize("jobs", [4, 1000])
def test_more_workers_than_processors_are_refused(tmp_path, monkeypatch, jobs):
    monkeypatch.setattr(crew, "processors", lambda: 3)
    monkeypatch.setattr(crew, "Process", None)  # no process is started
    space = {"space": {"optimizer": {"lr": [1e-3, 1e-2]}}}
    with pytest.raises(
        RecipeError, match=rf"{jobs} jobs are more than the 3 processors .*; use --jobs 3 or fewer"
    ):
        pg.tune("digits", space, jobs=jobs, out=tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True])
def test_a_number_of_workers_that_is_none_is_refused(jobs):
    with pytest.raises(RecipeError, match="jobs must be a whole number, 1 or more"):
        crew.Crew(jobs)
