"""One browser for all tests, and the page that it shows."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import runs
from .browser import browser, missing
from .page import Page, artifacts


@pytest.fixture(scope="session")
def tab() -> Iterator[Page]:
    """The tab of the one browser; tests are skipped where there is none."""
    if reason := missing():
        pytest.skip(reason)
    for picture in artifacts().glob("failed-*"):  # of an earlier session
        picture.unlink()
    with browser() as driver:
        yield Page(driver)


@pytest.fixture
def page(tab: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The same tab; a picture of what it showed last is kept of a test that failed."""
    failed = request.session.testsfailed
    yield tab
    if request.session.testsfailed > failed:
        tab.picture("failed-" + re.sub(r"\W+", "-", request.node.name)[:100])


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder of a run by its name; it is trained when it is first asked for."""
    root = tmp_path_factory.mktemp("runs")

    @functools.cache
    def made(name: str) -> Path:
        return runs.make(name, root, lambda: made("digits"))

    return made


@pytest.fixture(scope="session")
def file(run: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the file of a page: of a run by its name, of the "comparison", of the "study"."""
    root = tmp_path_factory.mktemp("pages")

    @functools.cache
    def made(name: str) -> Path:
        if name == "comparison":
            return runs.comparison(run, root)
        return runs.study(root) if name == "study" else run(name) / "report.html"

    return made
