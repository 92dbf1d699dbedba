"""How many processors to use: what the user says, what this process may run on, what its container grants."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

import plaingrad as pg
from plaingrad import machine
from plaingrad.errors import RecipeError


@pytest.fixture(autouse=True)
def _found_out_anew(monkeypatch):
    monkeypatch.delenv("PLAINGRAD_NUM_THREADS", raising=False)
    machine.processors.cache_clear()
    yield
    machine.processors.cache_clear()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A function that writes /proc/self/cgroup and files under /sys/fs/cgroup; 8 processors to run on."""
    (tmp_path / "proc/self").mkdir(parents=True)
    quotas = machine._quotas
    monkeypatch.setattr(machine, "_quotas", lambda: quotas(tmp_path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)

    def write(groups, **files):
        (tmp_path / "proc/self/cgroup").write_text(groups)
        for name, text in files.items():
            file = tmp_path / "sys/fs/cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return write


def v1(quota, folder="cpu,cpuacct"):
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}


IN_CONTAINER = "0::/\n"
IN_SLICE = "0::/user.slice/app\n"
FIRST_VERSION = "9:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "files", "count"),
    [
        (IN_CONTAINER, {}, 8),
        (IN_CONTAINER, {"cpu.max": "max 100000\n"}, 8),
        (IN_CONTAINER, {"cpu.max": "200000 100000\n"}, 2),
        (IN_CONTAINER, {"cpu.max": "50000 100000\n"}, 1),
        (IN_CONTAINER, {"cpu.max": "150000 100000\n"}, 2),
        (IN_CONTAINER, {"cpu.max": "6400000 100000\n"}, 8),
        (IN_CONTAINER, {"cpu.max": "what?\n"}, 8),
        (IN_CONTAINER, {"cpu.max": "100000 0\n"}, 8),
        (IN_CONTAINER, {"unified/cpu.max": "300000 100000\n"}, 3),
        (IN_SLICE, {"user.slice/app/cpu.max": "max 100000", "user.slice/cpu.max": "500000 100000"}, 5),
        (IN_SLICE, {"user.slice/app/cpu.max": "400000 100000", "user.slice/cpu.max": "500000 100000"}, 4),
        (IN_SLICE, {"other.slice/cpu.max": "100000 100000"}, 8),
        (FIRST_VERSION, v1(-1), 8),
        (FIRST_VERSION, v1(250000), 3),
        (FIRST_VERSION, v1(100000, "cpu"), 1),
        (FIRST_VERSION, v1(300000, "cpu,cpuacct/docker/1f"), 3),
        (FIRST_VERSION, v1(300000, "memory/docker/1f"), 8),
    ],
)
def test_a_container_grants_processors(root, groups, files, count):
    root(groups, **files)
    assert machine.processors() == count


def test_without_control_groups(root):
    assert machine.processors() == 8


def test_here(monkeypatch):
    assert 1 <= machine.processors() <= (os.cpu_count() or 1)
    assert machine.facts()["processors"] == machine.processors()


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("3", 3), (" 12 ", 12)])
def test_as_many_as_the_user_says(root, monkeypatch, text, count):
    root(IN_CONTAINER, **{"cpu.max": "200000 100000"})
    monkeypatch.setenv("PLAINGRAD_NUM_THREADS", text)
    assert machine.processors() == count


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_no_number_of_threads(monkeypatch, text):
    monkeypatch.setenv("PLAINGRAD_NUM_THREADS", text)
    data = {"X_train": [[0.0], [1.0]], "y_train": [0, 1]}
    with pytest.raises(
        RecipeError, match=f"PLAINGRAD_NUM_THREADS must be a whole number, 1 or more, got '{text}'"
    ):
        pg.Solver(pg.FullyConnectedNet([], input_shape=1, classes=2), data)


def test_the_command_line_says_so_before_a_run_begins(tmp_path):
    program = "from plaingrad.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "train", "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env={**os.environ, "PLAINGRAD_NUM_THREADS": "many"},
        check=False,
        timeout=120,
    )
    expected = "plaingrad: PLAINGRAD_NUM_THREADS must be a whole number, 1 or more, got 'many'\n"
    assert (done.returncode, done.stderr) == (2, expected)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux forgets a peak of memory on request"
)
def test_the_peak_of_memory_can_be_forgotten():
    np.ones(20_000_000)  # 160 MB, freed
    assert machine.forget_peak()
    now = machine.resident_mb()
    np.ones(5_000_000)  # 40 MB
    assert 35 < machine.resident_mb(peak=True) - now < 80


def test_a_system_that_does_not_tell_its_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_STATUS", tmp_path / "none" / "status")
    monkeypatch.setattr(machine, "_RESET", tmp_path / "none" / "clear_refs")
    assert not machine.forget_peak()
    assert math.isnan(machine.resident_mb())
