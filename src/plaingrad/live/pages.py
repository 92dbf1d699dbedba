"""The page of a run that trains: made anew when there is something new, once for all who look."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from plaingrad.errors import PlaingradError
from plaingrad.run_folder import RunFolder

T = TypeVar("T")

LEAST_SECONDS = 2.0  # between two pages
SHARE = 0.1  # of the time at most goes into pages: the processors are there for the training

STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'"
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')

_SENTENCE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="5">
<title>No page · plaingrad</title>
</head>
<body>
<main>
<h1>There is no page of this run now</h1>
<p id="problem">{sentence}</p>
<p>It is tried again as soon as the run's files change.</p>
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Page:
    """A page as it is sent.

    number: 1 for the first, then one more each.  policy: its Content-Security-Policy.  whole: whether this
    is the report, rather than a sentence on why there is none.  ended: whether the run had its end line.
    """

    number: int
    body: bytes
    policy: str
    whole: bool
    ended: bool


class Pages:
    """The newest page of a run.  To be used from one event loop.

    render: makes the page of a folder, as text; it runs in a thread, one at a time.
    """

    def __init__(self, folder: RunFolder, render: Callable[[RunFolder], str] | None = None) -> None:
        self.folder = folder
        self._render = render or report_page
        self._newest: Page | None = None
        self._made_of: object = None
        self._due = 0.0
        self._making: asyncio.Task[Page] | None = None

    async def current(self) -> Page:
        """The page as it should be seen now: a new one if files have changed and it is time for one."""
        if self._making is None and self._newest is not None:
            state = written(self.folder)
            if state == self._made_of or time.monotonic() < self._due:
                return self._newest
        if self._making is None:
            self._making = asyncio.create_task(self._make())
        return await asyncio.shield(self._making)  # one who no longer waits takes no page from the others

    async def _make(self) -> Page:
        number = self._newest.number + 1 if self._newest else 1
        self._made_of = written(self.folder)  # before it is read: what comes later makes another page
        began = time.monotonic()
        try:
            self._newest = await _in_thread(lambda: made(number, self.folder, self._render))
        finally:  # whatever went wrong, the next who asks begins anew
            self._due = next_due(began, time.monotonic())
            self._making = None
        return self._newest


def next_due(began: float, ended: float) -> float:
    """When the next page may be made, after one that took from `began` to `ended`, in seconds."""
    return max(began + LEAST_SECONDS, ended + (ended - began) * (1 / SHARE - 1))


def written(folder: RunFolder) -> object:
    """A value that changes when the recipe, the history, a checkpoint or the predictions are written."""
    files = [folder.recipe_file, folder.history_file, folder.predictions_file]
    files += sorted(folder.checkpoints.glob("*.safetensors"))
    state = []
    for file in files:
        with contextlib.suppress(OSError):  # not there, or no longer
            facts = file.stat()
            state.append((file.name, facts.st_mtime_ns, facts.st_size))
    return state


def report_page(folder: RunFolder) -> str:
    """The report, with the script that keeps it up to date."""
    from plaingrad.report.page import render  # draws, so it is slow to import

    return render(RunFolder.open(folder.path), live=True)


def made(number: int, folder: RunFolder, render: Callable[[RunFolder], str]) -> Page:
    """The page of a folder, or one that says in a sentence why it cannot be made; nothing is raised."""
    ended = False
    with contextlib.suppress(Exception):  # the page itself says what is wrong with the history
        ended = folder.history().result is not None
    try:
        text, whole = render(folder), True
    except Exception as error:  # whatever is wrong now, the next page may be right
        own = isinstance(error, PlaingradError)
        sentence = str(error) if own else f"The page cannot be made: {type(error).__name__}: {error}"
        text, whole, ended = _SENTENCE.format(sentence=html.escape(sentence)), False, False
    found = _POLICY.search(text)  # the first is the page's own: what comes from the run stands further down
    policy = html.unescape(found[1]) if found else STRICT
    return Page(number, text.encode("utf-8", "backslashreplace"), policy, whole, ended)


async def _in_thread(work: Callable[[], T]) -> T:
    """What `work` returns, from a thread; unlike asyncio's own, nobody waits for it when the process ends.

    work: raises nothing.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        result = work()
        with contextlib.suppress(RuntimeError):  # the loop is closed: Ctrl-C came while the page was made
            loop.call_soon_threadsafe(lambda: done.done() or done.set_result(result))

    threading.Thread(target=run, daemon=True).start()
    return await done
