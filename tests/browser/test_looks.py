"""Every page in every look: nothing is wrong with it, light and dark, on a phone and on paper, with and without
JavaScript."""

import pytest

from .page import DESK, PAPER, PHONE, TABLET
from .runs import PAGES

ALL = (*PAGES, "comparison", "study")

LOOKS = {
    f"{width}-{'dark' if dark else 'light'}": {"width": width, "dark": dark}
    for width in (PHONE, TABLET, DESK)
    for dark in (False, True)
}
THOROUGHLY = ("digits", "comparison", "study")
FEW = {
    own: LOOKS[own] for own in ("375-dark", "1280-light")
}  # for the others, which differ little from these


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_wrong_with_any_page(page, file, name):
    page.open(file(name))
    for called, look in (LOOKS if name in THOROUGHLY else FEW).items():
        page.look(**look)
        page.picture(f"{name}-{called}")
        assert page.faults() == [], called
        assert page.run("return document.documentElement.clientWidth") == look["width"]
    assert page.barriers() == []
    assert page.run("return window.hostile") is None


@pytest.mark.parametrize("name", ALL)
def test_on_paper_nothing_is_cut_off(page, file, name):
    page.open(file(name), width=PAPER, printed=True)
    assert page.faults() == []


def test_it_prints(page, run):
    page.open(run("digits") / "report.html")
    assert 2 < page.pdf("run-digits").read_bytes().count(b"/Type /Page\n") < 30


@pytest.mark.parametrize("name", ALL)
def test_without_javascript_everything_essential_is_there(page, file, name):
    with_it = page.open(file(name)).run(_SECTIONS)
    page.open(file(name), script=False)
    assert page.faults() == []
    assert page.barriers() == []
    assert page.run(_SECTIONS) == with_it
    assert page.text("h1")
    assert page.text(".headline")
    assert all(svg.is_displayed() for svg in page.all("svg.drawing"))
    if name in PAGES:
        assert "plaingrad train" in page.text("#again")


_SECTIONS = (
    "return [...document.querySelectorAll('section')].filter(own => own.checkVisibility()).map(own => own.id)"
)


def test_a_run_that_went_well_shows_everything(page, run):
    page.open(run("digits") / "report.html", script=False)
    expected = "findings learning classes confusion mistakes samples trust weights signal network time again"
    assert page.run(_SECTIONS) == expected.split()
    assert page.all(".problems") == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("crashed", "has not ended"),
        ("empty", "has recorded nothing yet"),
        ("diverged", "broke off at step"),
        ("not a number", "100 are not finite, the first at step 101"),
        ("old", "named right"),
        ("damaged", "damaged"),
    ],
)
def test_a_broken_run_says_so(page, run, name, said):
    assert said in page.open(run(name) / "report.html").text("#head").lower()
