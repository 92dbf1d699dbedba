"""A server of pages in a thread, and a reader of its events."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator

from plaingrad.live import server
from plaingrad.live.pages import Pages
from plaingrad.run_folder import RunFolder

LONG = 60  # seconds after which something that should have come never will


@contextlib.contextmanager
def served(folder, render=None) -> Iterator[int]:
    """The port at which the pages of a folder are served."""
    with server.listen("127.0.0.1", 0) as listening:
        pages = Pages(RunFolder(folder), render)
        running = server.server_of(pages, server.hosts_of("127.0.0.1", listening))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join(LONG)
            assert not thread.is_alive()


def ask(port, path="/", *, method="GET", host=None, headers=()):
    """Status, headers and body of the answer; `path` goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host=True)
        if host != "":
            connection.putheader("Host", host or f"127.0.0.1:{port}")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


@contextlib.contextmanager
def listening_to(port) -> Iterator[Iterator[tuple[str, int]]]:
    """The events of a server, each with the number of its page, as they come."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    with contextlib.closing(connection):
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        with answer:
            yield _events(answer)


def _events(answer) -> Iterator[tuple[str, int]]:
    fields = {}
    while line := answer.readline().decode():
        name, _, value = line.rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], int(fields["data"])
            fields = {}


def record(folder, kind, **values):
    """Append a line to the history."""
    with (folder / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"type": kind, **values}) + "\n")


def epoch(folder, step):
    """Append an evaluation to the history."""
    record(
        folder, "epoch", epoch=step / 10, step=step, lr=0.1, loss=1.0, train_accuracy=0.5, val_accuracy=0.4,
        seconds=float(step),
    )  # fmt: skip


def end(folder):
    """Append the end to the history."""
    record(
        folder, "end", run=str(folder), best_val_accuracy=0.4, test_accuracy=0.5, seconds=1.0,
        peak_memory_mb=None, epochs=1.0, steps=10, stopped_early=False, checkpoint=None, report=None,
    )  # fmt: skip
