"""What comes from data is shown as it is, letter by letter, and nothing of it runs."""

import pytest

from .runs import DESCRIPTION, FOLDER, NAMES, SLASHED

CLASSES = {"hostile files": NAMES, "hostile names": SLASHED}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("script", [True, False])
def test_the_names_of_classes_are_shown_as_they_are(page, run, name, script):
    page.open(run(name) / "report.html", script=script)
    shown = page.run("return [...document.querySelectorAll('.classes tbody th')].map(own => own.textContent)")
    assert sorted(shown) == sorted(CLASSES[name])
    heads = page.run(
        "return [...document.querySelectorAll('.matrix thead th')].slice(1).map(own => own.textContent)"
    )
    assert sorted(heads) == sorted(CLASSES[name])


def test_so_are_the_names_of_the_run_of_its_files_and_what_the_recipe_says(page, run):
    page.open(run("hostile files") / "report.html")
    assert page.run("return document.querySelector('h1').textContent") == FOLDER
    assert page.driver.title.startswith(FOLDER)
    assert page.run("return document.querySelector('.description').textContent") == DESCRIPTION
    said = page.run("return document.querySelector('#mistakes').textContent")
    assert any(f"{own[:60]}.png" in said for own in NAMES)


@pytest.mark.parametrize("name", CLASSES)
def test_nothing_of_it_runs_whatever_is_done_on_the_page(page, run, name):
    page.open(run(name) / "report.html")
    for summary in page.all("summary"):
        summary.click()
    for number in range(len(page.all(".matrix a"))):
        page.run("document.querySelectorAll('.matrix a')[arguments[0]].click()", number)
    for button in page.all("button"):
        page.run("arguments[0].click()", button)
    for element in page.all("figure.chart, .tiles li, th, .matrix td"):
        page.run("arguments[0].dispatchEvent(new Event('mouseover', {bubbles: true}))", element)
    assert page.run("return window.hostile") is None
    assert (
        page.run(
            "return document.querySelectorAll('script:not([type]), [onerror], [onload], [onfocus]').length"
        )
        == 1
    )
    assert page.faults() == []
