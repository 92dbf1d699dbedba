"""`plaingrad watch` during a real training: the page in the browser keeps up by itself."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plaingrad import training
from plaingrad.callbacks import Callback
from plaingrad.recipe import read_recipe

EPOCHS = 4
OVERRIDES = [f"training.epochs={EPOCHS}", "network.hidden=[30]", "training.checkpoint_seconds=0"]

# The command, but without the pauses that leave the processors to the training.
WATCH = """
from plaingrad.live import pages
pages.SHARE, pages.LEAST_SECONDS = 1, 0.1
from plaingrad.cli import main
main()
"""


class Gate(Callback):
    """Holds a training after each evaluation until it may go on."""

    def __init__(self) -> None:
        self._arrived, self._open = threading.Semaphore(0), threading.Semaphore(0)

    def on_epoch(self, solver, record):
        """What comes before, the recorder above all, has written the evaluation down."""
        self._arrived.release()
        self._open.acquire()

    def wait(self) -> None:
        """Until the training stands before the gate."""
        assert self._arrived.acquire(timeout=120), "the training does not get on"

    def let(self, epochs: int = 1) -> None:
        """Let it do so many epochs more."""
        self._open.release(epochs)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def trained(tmp_path: Path, gate: Gate) -> Iterator[Path]:
    """The folder of a run that has done its first epoch, and goes on as the gate lets it."""
    run = tmp_path / "a run <b>"
    thread = threading.Thread(
        target=training.train, args=(read_recipe("digits", OVERRIDES), run), kwargs={"callbacks": [gate]}
    )
    thread.start()
    try:
        gate.wait()
        yield run
    finally:
        gate.let(EPOCHS + 1)
        thread.join()


@contextlib.contextmanager
def watching(run: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Where the page of a run is served, and the process that serves it."""
    command = [sys.executable, "-c", WATCH, "watch", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout
            said = server.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found, said
            yield f"{found[0]}/", server
        finally:
            server.kill()


def stop(server: subprocess.Popen[str]) -> None:
    """As Ctrl-C does."""
    server.send_signal(signal.SIGINT)
    assert server.wait(60) == 0


@pytest.fixture
def served(trained: Path) -> Iterator[str]:
    with watching(trained) as (address, server):
        yield address
        stop(server)


def evaluations(page):
    """How many evaluations the accuracy curve shows."""
    return page.run(
        "return JSON.parse(document.querySelector('#accuracy script').textContent).panels[0].series[0].x.length"
    )


def test_the_page_keeps_up_with_the_training(page, served, gate):
    page.open(served)
    page.wait(lambda: "live" in page.text("#live"))
    assert "has not ended" in page.text(".headline")
    assert evaluations(page) == 1
    page.run("window.marker = 1")
    page.one("#accuracy .legend button[data-series='train']").click()
    page.one("#learning summary").click()

    for done in range(2, EPOCHS):
        gate.let()
        page.wait(lambda done=done: evaluations(page) == done)
        assert len(page.all("#learning tbody tr")) == done
    page.picture("watch", whole=False)
    assert not page.one("#accuracy svg [data-series='train']").is_displayed(), (
        "what was switched off stays so"
    )
    assert page.one("#accuracy svg [data-series='val']").is_displayed()
    assert page.one("#learning details").get_attribute("open"), "what was unfolded stays so"
    assert page.faults() == [f"the page asked for {served}events"]
    assert page.barriers() == []

    gate.let(EPOCHS)
    page.wait(lambda: "ended" in page.text("#live"))
    assert evaluations(page) == EPOCHS
    assert "named right" in page.text(".headline")
    assert page.all(".matrix a"), "with the end come the predictions"
    assert page.run("return window.marker") == 1, "it is the same page, not one that was loaded anew"
    button = page.one("#accuracy .legend button[data-series='train']")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert page.one("#accuracy svg [data-series='train']").is_displayed()
    page.one(".matrix tbody th a").click()
    assert any(tile.is_displayed() for tile in page.all(".of-class .tiles li")), (
        "what came later is alive, too"
    )
    assert page.faults() == [f"the page asked for {served}events"]


def test_the_page_says_that_the_server_is_gone(page, trained):
    with watching(trained) as (address, server):
        page.open(address)
        page.wait(lambda: "live" in page.text("#live"))
        stop(server)
        page.wait(lambda: "connection lost" in page.text("#live"))
    assert evaluations(page) == 1, "what was there can still be read"


def test_without_javascript_the_page_is_there_as_it_was_when_it_was_loaded(page, served):
    page.open(served, script=False)
    assert "has not ended" in page.text(".headline")
    assert page.all("svg.drawing")
    assert page.faults() == []
