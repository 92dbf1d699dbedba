"""Everything that can be pressed is reached with Tab, in the order of the page, and seen to be reached."""

import pytest
from selenium.webdriver import Keys

from .page import DESK, PHONE

_STOPS = """const stops = [...document.querySelectorAll("a[href], button, summary, input, select, [tabindex='0']")]
  .filter(own => own.tabIndex >= 0 && own.checkVisibility()), style = getComputedStyle(document.activeElement);
return [stops.length, stops.indexOf(document.activeElement),
  style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0]"""


@pytest.mark.parametrize(("name", "script"), [("digits", True), ("digits", False), ("study", True)])
def test_tab_reaches_everything_in_order_and_shows_where_it_is(page, file, name, script):
    page.open(file(name), script=script)
    count, *_ = page.run(_STOPS)
    assert count > 10
    reached = []
    for _ in range(2 * count):  # what scrolls is a stop, too
        page.press(Keys.TAB)
        _, place, outlined = page.run(_STOPS)
        if place >= 0:
            assert outlined, f"stop {place} does not show that it has the focus"
            reached.append(place)
        if place == count - 1:
            break
    assert reached == list(range(count))


def test_the_matrix_is_one_stop_and_arrow_keys_go_from_cell_to_cell(page, file):
    page.open(file("digits"))
    stops = "return [...document.querySelectorAll('.matrix a')].filter(own => own.tabIndex >= 0).length"
    assert page.run(stops) == 1
    page.run("document.querySelector('.matrix a').focus()")
    at = "const { true: row, predicted } = document.activeElement.dataset; return [row, predicted ?? null]"
    for key, place in (
        (Keys.ARROW_LEFT, ["0", None]),  # nothing lies there
        (Keys.ARROW_DOWN, ["1", None]),
        (Keys.ARROW_UP, ["0", None]),
        (Keys.ARROW_RIGHT, ["0", "0"]),
        (Keys.ARROW_UP, ["0", "0"]),
    ):
        page.press(key)
        assert page.run(at) == place
    page.press(Keys.ENTER)
    assert page.text(".of-class.shown h3").startswith("0 named right: ")
    assert page.run(stops) == 1
    page.press(Keys.TAB)
    assert not page.run("return !!document.activeElement.closest('.matrix')")


def test_what_is_cut_off_is_reached_with_the_keyboard_and_has_a_name(page, file):
    page.open(file("digits"), width=PHONE)
    scrolls = (
        "return [...document.querySelectorAll('.scroll')].filter(own => own.scrollWidth > own.clientWidth)"
    )
    page.one("#learning summary").click()
    page.wait("return document.querySelector('#learning .scroll').tabIndex === 0")
    cut = page.run(scrolls)
    assert cut
    for own in cut:
        assert own.get_attribute("role") == "region"
        assert own.accessible_name
    page.look(width=DESK)
    page.wait("return !document.querySelector('.scroll[tabindex]')")
    assert page.run(scrolls) == []
