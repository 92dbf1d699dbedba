"""The pictures that README and docs show: `python -m tests.browser.screenshots RUN`, from the root of a checkout."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

import typer

from .browser import browser, missing
from .page import DESK, PHONE, Page

_TOP = 1500  # CSS pixels of a page that its first picture shows
_PARTS = ("confusion",)  # of the page of a run, by the names of their sections
_CONFUSED = ".matrix td:not(.right) a"


def main(
    pages: Annotated[list[Path], typer.Argument(help="Run folders, or pages: report.html, study.html.")],
    out: Annotated[Path, typer.Option(help="The folder for the pictures.")] = Path("docs/images"),
) -> None:
    """Take the pictures of pages: the top of each in light, in dark and on a phone, and parts of a run's."""
    if reason := missing():
        raise typer.BadParameter(reason)
    files = [own / "report.html" if own.is_dir() else own for own in pages]
    if absent := [str(own) for own in files if not own.is_file()]:
        raise typer.BadParameter(f"there is no {absent[0]}")
    out.mkdir(parents=True, exist_ok=True)
    with browser() as driver:
        page = Page(driver)
        for file in files:
            take(page.open(file), file.stem, out)


def take(page: Page, name: str, out: Path) -> None:
    """The pictures of the page that is open, called after it."""
    for width, dark, suffix in ((DESK, False, ""), (DESK, True, "-dark"), (PHONE, False, "-phone")):
        page.look(width=width, dark=dark)
        keep(page.png(height=_TOP), out / f"{name}{suffix}.png")
    page.look()
    if cells := page.all(_CONFUSED):
        max(cells, key=lambda own: int(own.text.replace(",", ""))).click()
    for part in _PARTS if name == "report" else ():
        if page.all(f"#{part}"):
            keep(page.png(selector=f"#{part}"), out / f"{name}-{part}.png")


def keep(png: bytes, path: Path) -> None:
    """Write a picture, packed tighter than the browser takes time for."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    typer.run(main)
