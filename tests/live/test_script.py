"""The script that keeps a page up to date, in a real browser: what it takes over, and what it leaves alone."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

import pytest

pytest.importorskip("starlette", reason="starlette is not installed: pip install 'plaingrad[watch]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'plaingrad[watch]'")

from browser.browser import browser, missing
from browser.page import Page
from plaingrad.errors import RunError
from plaingrad.live import pages

from .serving import served

_HEAD = """<!doctype html><html><head><title>{title}</title><style>section {{ height: {height}px; }}
.tall {{ height: 50px; overflow: auto; }}</style></head>
<body><header><h1>{title}</h1><p id="live" role="status">live</p></header><main>"""
_REST = """</main><script>{script}</script></body></html>"""
_CHART = """<section id="learning"><figure class="chart" id="loss"><div class="canvas"><svg viewBox="0 0 9 9">
<g class="series" data-series="a"></g><g class="series" data-series="b"></g></svg></div>
<ul class="legend"><li data-series="a">a</li><li data-series="b">b</li></ul><p class="reading"></p>
<script type="application/json">{"panels": []}</script></figure>
<details><summary>All COUNT evaluations</summary><p>COUNT</p></details><details open><summary>more</summary></details>
<div class="tall"><table class="sortable"><thead><tr><th>name</th><th>value</th></tr></thead>
<tbody><tr><td>x</td><td>COUNT</td></tr><tr><td>y</td><td>2</td></tr><tr><td>z</td><td>9</td></tr></tbody>
</table><p style="height: 400px"></p></div></section>"""


class Stub:
    """What is on the page, to be changed by a test."""

    def __init__(self, folder):
        self.folder = folder
        self.title, self.height, self.parts, self.error = "first", 600, [], None
        (folder / "recipe.toml").touch()

    def render(self, folder):
        if self.error:
            raise self.error
        script = "".join(
            (resources.files("plaingrad") / "report" / name).read_text("utf-8")
            for name in ("live.js", "page.js")
        )
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = (
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'; connect-src 'self'\">"
        )
        head = _HEAD.format(title=self.title, height=self.height).replace("<title>", policy + "<title>")
        return head + "".join(self.parts) + _REST.format(script=script)

    def change(self, *parts, **values):
        """Put other parts on the page, and make it new."""
        self.parts = list(parts) or self.parts
        vars(self).update(values)
        with (self.folder / "history.jsonl").open("a") as file:
            file.write("\n")


@pytest.fixture(scope="module")
def tab():
    if reason := missing():
        pytest.skip(reason)
    with browser() as driver:
        yield Page(driver)


@pytest.fixture
def stub(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "LEAST_SECONDS", 0.1)
    return Stub(tmp_path)


@pytest.fixture
def page(tab, stub):
    with served(stub.folder, stub.render) as port:
        tab.address = f"http://127.0.0.1:{port}/"
        yield tab
        tab.driver.get("about:blank")


def part(name, text):
    return f'<section id="{name}"><p>{text}</p></section>'


def order(page):
    return page.run("return [...document.querySelector('main').children].map(own => own.id || own.tagName)")


def test_parts_come_go_and_change_and_others_are_left_alone(page, stub):
    stub.change(part("one", "1"), "<div>a</div>", part("two", "2"))
    page.open(page.address)
    page.wait("return document.getElementById('live').textContent.includes('updated')")
    page.run(
        "document.getElementById('two').marker = 1; window.marker = 1; document.getElementById('live').marker = 1"
    )
    stub.change(
        part("zero", "0"),
        part("one", "one"),
        part("two", "2"),
        "<div>b</div>",
        part("four", "4"),
        title="second",
    )
    page.wait("return document.getElementById('four')")
    assert order(page) == ["zero", "one", "two", "DIV", "four"]
    assert page.text("#one") == "one"
    assert page.run("return document.querySelector('main > div').textContent") == "b"
    assert page.run("return document.getElementById('two').marker") == 1, "the same element as before"
    assert page.driver.title == page.text("h1") == "second"
    assert page.run("return document.getElementById('live').marker") == 1
    stub.change(part("four", "4"), part("two", "2"))
    page.wait("return !document.getElementById('one')")
    assert order(page) == ["four", "two"]
    assert page.run("return document.getElementById('two').marker") == 1
    assert page.run("return window.marker") == 1, "nothing was loaded anew"
    assert page.console == []


def test_what_the_reader_did_is_kept(page, stub):
    stub.change(_CHART.replace("COUNT", "1"))
    page.open(page.address)
    page.wait("return document.getElementById('live').textContent.includes('updated')")
    for own in page.all("summary"):
        own.click()
    page.one(".legend button[data-series='a']").click()
    for _ in range(2):
        page.one("th:nth-child(2) button").click()
    page.run("document.querySelector('.tall').scrollTop = 30")
    page.one(".legend button[data-series='b']").click()
    page.one(".legend button[data-series='b']").click()
    stub.change(_CHART.replace("COUNT", "12"))
    page.wait("return document.querySelector('summary').textContent.includes('12')")
    assert [own.get_attribute("open") for own in page.all("details")] == ["true", None]
    pressed = [own.get_attribute("aria-pressed") for own in page.all(".legend button")]
    assert pressed == ["false", "true"]
    assert page.run("return document.querySelector('g.off').dataset.series") == "a"
    assert page.run(
        "return [...document.querySelectorAll('tbody tr')].map(own => own.cells[1].textContent)"
    ) == ["12", "9", "2"]
    assert page.one("th:nth-child(2)").get_attribute("aria-sort") == "descending"
    assert page.run("return document.querySelector('.tall').scrollTop") == 30
    assert page.run("return document.activeElement.dataset.series") == "b"
    assert page.console == []


def test_what_is_read_stays_where_it_is(page, stub):
    names = ["one", "two", "three", "four"]
    stub.change(*(part(name, name) for name in names))
    page.open(page.address)
    page.wait("return document.getElementById('live').textContent.includes('updated')")
    page.run("document.getElementById('three').scrollIntoView(); scrollBy(0, 40)")
    where = "return document.getElementById('three').getBoundingClientRect().top"
    before = page.run(where)
    stub.change(
        part("one", "<br>" * 9 + "</p></section><section id='new'><p>new"),
        *(part(name, "new") for name in names[1:]),
    )
    page.wait("return document.getElementById('new')")
    assert page.run(where) == pytest.approx(before, abs=1)
    assert page.run("return scrollY") > 1500


def test_a_page_that_cannot_be_made_is_said_and_what_was_there_stays(page, stub):
    stub.change(part("one", "1"))
    page.open(page.address)
    page.wait("return document.getElementById('live').textContent.includes('updated')")
    stub.change(error=RunError("line 7 is not <b>a record</b>"))
    page.wait("return document.getElementById('live').textContent === 'line 7 is not <b>a record</b>'")
    assert page.text("#one") == "1"
    stub.change(part("one", "2"), error=None)
    page.wait("return document.getElementById('one').textContent === '2'")
    page.wait("return document.getElementById('live').textContent.startsWith('live, updated')")


def test_a_sentence_alone_becomes_the_page_by_itself(page, stub):
    stub.change(part("one", "1"), error=RunError("nothing yet"))
    page.open(page.address)
    assert page.text("#problem") == "nothing yet"
    stub.change(error=None)
    page.wait("return document.getElementById('one')")
