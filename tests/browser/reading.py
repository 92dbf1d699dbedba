"""How charts and tables of a page are read by a test."""

from __future__ import annotations

import json
from typing import Any

from .page import Page


def drawn(page: Page, chart: str) -> list[dict[str, Any]]:
    """The panels of a chart, with the values of their curves."""
    return json.loads(page.run(f"return document.querySelector('#{chart} script').textContent"))["panels"]


def hover(page: Page, chart: str, x: float, panel: int = 0) -> None:
    """Move the mouse to where x lies on a panel's axis, half-way up."""
    own = drawn(page, chart)[panel]
    assert not own["xlog"]
    (left, top, right, bottom), (a, b) = own["box"], own["xlim"]
    view = page.run(
        f"const box = document.querySelector('#{chart} svg').viewBox.baseVal;"
        "return [box.x, box.y, box.width, box.height]"
    )
    across = (left + (x - a) / (b - a) * (right - left) - view[0]) / view[2]
    page.point(page.one(f"#{chart} svg"), across, ((top + bottom) / 2 - view[1]) / view[3])


def reading(page: Page, chart: str) -> dict[str, str]:
    """What the chart says of the place that is pointed at: value by name."""
    return dict(
        page.run(
            f"return [...document.querySelectorAll('#{chart} .reading > span')].map("
            "own => [own.firstChild.textContent.trim(), own.querySelector('b').textContent])"
        )
    )


def said(shown: dict[str, str], name: str) -> str:
    """The value of the curve whose name begins so."""
    return next(value for label, value in shown.items() if label.startswith(name))


def percent(fraction: float | None) -> str:
    """As a page writes it."""
    assert fraction is not None
    return f"{100 * fraction:.1f} %"


def column(page: Page, table: str, place: int) -> list[str]:
    """The texts of a column, as they stand from top to bottom."""
    return [row[place] for row in rows_of(page, table)]


def rows_of(page: Page, table: str) -> list[list[str]]:
    """The texts of all cells."""
    return page.run(
        f"return [...document.querySelector('{table}').tBodies[0].rows].map("
        "row => [...row.cells].map(cell => cell.textContent.trim()))"
    )


def number(text: str) -> float:
    """What a cell says.  Raises ValueError if that is no number."""
    return float(text.replace(",", "").removesuffix("%").removesuffix(" s"))
