"""Everything that can be pressed is reached with Tab, in the order of the page, and seen to be reached."""

import pytest
from selenium.webdriver import Keys

_STOPS = """const stops = [...document.querySelectorAll("a[href], button, summary, input, select, [tabindex='0']")]
  .filter(own => own.checkVisibility()), style = getComputedStyle(document.activeElement);
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
