"""The page: what `report.html` says, gathered from the run folder."""

from __future__ import annotations

import base64
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from plaingrad.checkpoint import write_whole
from plaingrad.errors import RunError
from plaingrad.report import figures
from plaingrad.run_folder import RunFolder


def write_page(run: str | Path) -> Path:
    """Write `report.html`, whole or not at all."""
    folder = RunFolder.open(run)
    # A folder's name need not be text: what is not is escaped.
    write_whole(folder.report_file, render(folder).encode("utf-8", "backslashreplace"))
    return folder.report_file


def render(folder: RunFolder) -> str:
    """The page as text: one file that needs no other, nothing in it taken as HTML that came from outside."""
    return filled("plaingrad.report", gather(folder))


def filled(package: str, values: dict[str, Any]) -> str:
    """The `page.html` of a package with values, which are escaped."""
    source = (resources.files(package) / "page.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)  # fmt: skip
    return environment.from_string(source).render(values)


def gather(folder: RunFolder) -> dict[str, Any]:
    """What the page shows."""
    recipe, history = folder.recipe(), folder.history()
    per_epoch = history.records[-1].step / history.records[-1].epoch if history.records else 1
    pictures = {}
    if history.losses:
        pictures["loss"] = data_url(figures.loss_curve(history.losses, per_epoch), "svg+xml")
    if history.records:
        pictures["accuracy"] = data_url(figures.accuracy_curves(history.records, per_epoch), "svg+xml")
    summary = None
    try:
        network, _, _ = folder.load()
    except RunError:
        pass  # no checkpoint yet: the curves are still worth a page
    else:
        summary = network.summary()
        first = next((w for name, w in network.params.items() if name.endswith(".weight")), None)
        grid = None if first is None else figures.weight_grid(first, network.input_shape)
        if grid:
            pictures["weights"] = data_url(grid, "png")
    return {
        "name": folder.path.resolve().name,
        "description": recipe.description,
        "result": history.result,
        "records": history.records,
        "pictures": pictures,
        "summary": summary,
        "facts": folder.facts(),
        "recipe": folder.recipe_file.read_text("utf-8"),
    }


def data_url(data: bytes, kind: str) -> str:
    """An image of a kind such as "png" for a page that needs no other file."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
