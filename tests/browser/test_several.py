"""The pages of several runs and of a study: tables sort, curves are read off, links lead somewhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from plaingrad.run_folder import RunFolder

from .reading import column, hover, number, percent, reading, rows_of, said


@pytest.mark.parametrize(("name", "table"), [("comparison", "table.runs"), ("study", "table.trials")])
def test_numbers_sort_as_numbers_both_ways_and_what_is_empty_comes_last(page, file, name, table):
    page.open(file(name))
    before, sorted_by = sorted(rows_of(page, table)), []
    for place, head in enumerate(page.all(f"{table} thead button")):
        head.click()
        upwards = column(page, table, place)
        head.click()
        downwards = column(page, table, place)
        filled = [own for own in upwards if own not in ("", "–")]
        try:
            numbers = list(map(number, filled))
        except ValueError:
            continue  # words
        if head.text != "rank":  # trials without one have a place all the same
            assert upwards[: len(filled)] == filled, head.text
            assert numbers == sorted(numbers), head.text
            assert list(map(number, downwards[: len(filled)])) == sorted(numbers, reverse=True), head.text
            sorted_by.append(head.text)
    assert {"time"} < set(sorted_by)
    assert sorted(rows_of(page, table)) == before, "rows stay together"


@pytest.mark.parametrize("name", ["comparison", "study"])
def test_every_link_leads_to_what_is_there(page, file, name):
    page.open(file(name))
    links = page.run("return [...document.querySelectorAll('main table a')].map(own => own.href)")
    assert len(links) > 3
    for link in links:
        address = urlsplit(link)
        assert address.scheme == "file"
        assert not address.query
        assert not address.fragment
        assert Path(unquote(address.path)).exists()


def test_a_run_is_one_click_away(page, file, run):
    page.open(file("comparison"))
    links = {own.text: own for own in page.all("table.runs tbody th a")}
    links[run("hostile files").name].click()
    assert page.run("return document.querySelector('h1').textContent") == run("hostile files").name


def test_what_differs_is_marked(page, file):
    page.open(file("comparison"))
    marked = page.run("return [...document.querySelectorAll('.fields .differs')].map(own => own.textContent)")
    assert "[10]" in marked, "the one narrow network"
    assert "[100, 50]" not in marked, "what most have"


def test_the_curve_of_a_setting_is_read_off_and_switched_off(page, file):
    page.open(file("comparison"))
    alone = RunFolder.open(file("comparison").parent / "digits narrow")
    record = alone.history().records[3]
    hover(page, "accuracy", record.epoch)
    assert said(reading(page, "accuracy"), "hidden [10]") == percent(record.val_accuracy)
    for entry in page.all("#accuracy .legend button"):
        key = entry.get_attribute("data-series")
        curves = page.all(f"#accuracy svg [data-series='{key}']")
        assert curves
        entry.click()
        assert not any(curve.is_displayed() for curve in curves)
    hover(page, "accuracy", record.epoch)
    assert reading(page, "accuracy") == {}


def test_the_curves_of_a_study_can_be_read_off(page, file):
    page.open(file("study"))
    hover(page, "curves", 2)
    assert len(reading(page, "curves")) >= 2
