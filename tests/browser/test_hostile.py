"""What comes from data is shown as it is, letter by letter, and nothing of it runs."""

import pytest
from selenium.webdriver.common.keys import Keys

from plaingrad import report

from .runs import DESCRIPTION, FOLDER, NAMES, SLASHED

CLASSES = {"hostile files": NAMES, "hostile names": SLASHED}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("script", [True, False])
def test_the_names_of_classes_are_shown_as_they_are(page, run, name, script):
    page.open(run(name) / "report.html", script=script)
    shown = page.run("return [...document.querySelectorAll('.classes tbody th')].map(own => own.textContent)")
    assert sorted(shown) == sorted(CLASSES[name])
    heads = page.run(
        "return [...document.querySelectorAll('.matrix thead tr:last-child th')].slice(1).map(own => own.textContent)"
    )
    assert sorted(heads) == sorted(CLASSES[name])


def test_so_are_the_names_of_the_run_of_its_files_and_what_the_recipe_says(page, run):
    page.open(run("hostile files") / "report.html")
    assert page.run("return document.querySelector('h1').textContent") == FOLDER
    assert page.driver.title.startswith(FOLDER)
    assert page.run("return document.querySelector('.description').textContent") == DESCRIPTION
    titles = page.run("return [...document.querySelectorAll('#mistakes li')].map(own => own.title)")
    assert titles
    assert all(any(own.endswith(f" {name[:60]}.png") for name in NAMES) for own in titles)


def read_everything_off(page):
    """Point at every chart and walk along its curves: what is read off is made of names, too."""
    for number, chart in enumerate(page.all("figure.chart .canvas")):
        page.point(chart)
        page.run("document.querySelectorAll('figure.chart .canvas')[arguments[0]].focus()", number)
        for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.END):
            page.press(key)
        assert page.run("return document.querySelectorAll('.reading b').length")


@pytest.mark.parametrize("name", CLASSES)
def test_nothing_of_it_runs_whatever_is_done_on_the_page(page, run, name):
    page.open(run(name) / "report.html")
    for summary in page.all("summary"):
        summary.click()
    for number in range(len(page.all(".matrix a"))):
        page.run("document.querySelectorAll('.matrix a')[arguments[0]].click()", number)
    for button in page.all("button"):
        page.run("arguments[0].click()", button)
        page.run("arguments[0].click()", button)  # or else no curve would be left
    read_everything_off(page)
    assert page.run("return window.hostile") is None
    assert (
        page.run(
            "return document.querySelectorAll('script:not([type]), [onerror], [onload], [onfocus]').length"
        )
        == 1
    )
    assert page.faults() == []


def test_nor_does_a_comparison_run_anything(page, run, tmp_path):
    page.open(report.compare([run(name) for name in CLASSES], tmp_path / "both.html"))
    assert FOLDER in page.run("return document.querySelector('main').textContent")
    for button in page.all("button"):
        page.run("arguments[0].click()", button)
        page.run("arguments[0].click()", button)
    read_everything_off(page)
    assert page.run("return window.hostile") is None
    assert page.faults() == []
