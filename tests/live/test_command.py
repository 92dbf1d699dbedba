"""`plaingrad watch` as a process: beside a real training, and how it begins and ends."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

pytest.importorskip("starlette", reason="starlette is not installed: pip install 'plaingrad[watch]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'plaingrad[watch]'")

from plaingrad import training
from plaingrad.cli import app
from plaingrad.recipe import read_recipe
from plaingrad.report.page import render
from plaingrad.run_folder import RunFolder

from .serving import LONG, ask, listening_to

# A shell that starts tests in the background has them, and what they start, ignore Ctrl-C.
_START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
{before}
from plaingrad.cli import main
main()
"""
# A training that ends early once it is told to, by a file.
_UNTIL_ENOUGH = """
from pathlib import Path
from plaingrad.solver import Solver
Solver.stopped_early = property(lambda self: Path("enough").exists())
"""
# Pages without the pauses that leave the processors to the training.
_AT_ONCE = "from plaingrad.live import pages; pages.SHARE = 1; pages.LEAST_SECONDS = 0.1"
_TINY = ["network.hidden=[9]", "training.epochs=2", "data.train=100"]


def started(*arguments, before="", **settings):
    """`plaingrad` with arguments as a process of its own.  before: Python to run in it first."""
    command = [sys.executable, "-c", _START.format(before=before), *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", **settings)


@contextlib.contextmanager
def watching(folder):
    """The process that watches a run, and its port."""
    with started("watch", folder, "--port", 0, before=_AT_ONCE, stdout=subprocess.PIPE) as process:
        try:
            line = process.stdout.readline()
            match = re.fullmatch(
                rf"watching {re.escape(str(folder))} at http://127\.0\.0\.1:(\d+) "
                r"\(Ctrl-C ends watching, not training\)\n",
                line,
            )
            assert match, line + process.stderr.read()
            yield process, int(match[1])
        finally:
            process.kill()


def interrupted(process):
    """Press Ctrl-C; the exit code, and what was said after it."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LONG)
    return process.returncode, out + err


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    training.train(read_recipe("digits", _TINY), folder)
    return folder


def test_a_real_training_is_watched_to_its_end(tmp_path):
    folder = tmp_path / "run"
    train = started(
        "train", "digits", "--out", folder, "--set", "training.epochs=100000",
        before=_UNTIL_ENOUGH, cwd=tmp_path, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with train:
        try:
            while not (folder / "recipe.toml").exists():
                assert train.poll() is None, train.stderr.read()
                time.sleep(0.05)
            pages = []
            with watching(folder) as (watch, port), listening_to(port) as events:
                for told, _ in events:
                    status, _, page = ask(port)
                    assert status == 200, page
                    pages.append(page)
                    if len(set(pages)) == 3:
                        (tmp_path / "enough").touch()
                    if told == "end":
                        break
                assert train.wait(LONG) == 0, train.stderr.read()
                whole = render(RunFolder(folder), live=True)
                while page != whole:  # with what was written after the end line, too
                    assert next(events)[0] == "end"
                    page = ask(port)[2]
                assert interrupted(watch) == (0, "")
        finally:
            train.kill()
    assert len(set(pages)) > 3, "the page grows"


def test_ctrl_c_while_pages_are_made_and_read(run):
    with watching(run) as (process, port), listening_to(port) as events:
        assert next(events)[0] == "end"
        assert interrupted(process) == (0, "")
        assert list(events) == [], "the stream ends"


def test_a_page_is_not_waited_for_at_the_end(run):
    with watching(run) as (process, port), socket.create_connection(("127.0.0.1", port)) as impatient:
        impatient.sendall(f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        assert interrupted(process) == (0, "")


def test_a_run_that_has_just_begun(run, tmp_path):
    (tmp_path / "recipe.toml").write_bytes((run / "recipe.toml").read_bytes())
    with watching(tmp_path) as (process, port):
        status, _, page = ask(port)
        assert status == 200
        assert "Traceback" not in page
        assert interrupted(process) == (0, "")


def test_a_damaged_history_is_told_and_goes_on(run, tmp_path):
    (tmp_path / "recipe.toml").write_bytes((run / "recipe.toml").read_bytes())
    whole = (run / "history.jsonl").read_bytes()
    (tmp_path / "history.jsonl").write_bytes(b"\x00 not JSON\n" + whole)
    with watching(tmp_path) as (_, port), listening_to(port) as events:
        assert next(events)[0] in ("page", "end")
        _, _, page = ask(port)
        assert "line 1 is not a record of a run" in page
        (tmp_path / "history.jsonl").write_bytes(whole)
        assert next(events)[0] == "end"
        status, _, page = ask(port)
        assert status == 200
        assert "is not a record of a run" not in page


def test_a_folder_that_goes_away(run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.toml").write_bytes((run / "recipe.toml").read_bytes())
    with watching(folder) as (_, port), listening_to(port) as events:
        assert next(events) == ("page", 1)
        (folder / "recipe.toml").unlink()
        assert next(events) == ("page", 2)
        status, _, page = ask(port)
        assert status == 503
        assert "is not a run folder" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere is not a run folder: it holds no recipe.toml"),
        (["run", "--host", ""], "of ''"),
        (["run", "--port", "70000"], "less than or equal to 65535"),
        (
            ["run", "--host", "203.0.113.7"],
            "of '203.0.113.7'",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_one_sentence_and_exit_code_2(run, monkeypatch, arguments, words):
    monkeypatch.chdir(run.parent)
    result = CliRunner().invoke(app, ["watch", *arguments])
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_port_in_use_is_said(run):
    with watching(run) as (_, port):
        result = CliRunner().invoke(app, ["watch", str(run), "--port", str(port)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"plaingrad: port {port} is in use: choose another --port")


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_a_sentence_says_what_to_install(run, missing):
    with started("watch", run, before=f"import sys; sys.modules[{missing!r}] = None") as process:
        _, err = process.communicate(timeout=LONG)
    assert process.returncode == 2
    assert (
        err == f"plaingrad: watching a run needs {missing}: install it with pip install 'plaingrad[watch]'\n"
    )
