"""The page of a run: what `report.html` says, gathered from the run folder."""

from __future__ import annotations

import base64
import hashlib
import math
import shlex
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from plaingrad import plots
from plaingrad.checkpoint import write_whole
from plaingrad.machine import __version__
from plaingrad.plots.first_layer import first_weight, weight_grid
from plaingrad.plots.progress import planned_rate
from plaingrad.report import contents, samples
from plaingrad.report.contents import Contents
from plaingrad.report.drawing import Drawing, drawing
from plaingrad.report.sheet import data_url
from plaingrad.report.words import counted, duration, headline, percent, stated
from plaingrad.run_folder import RunFolder


def write_page(run: str | Path) -> Path:
    """Write `report.html`, whole or not at all."""
    folder = RunFolder.open(run)
    # A folder's name need not be text: what is not is escaped.
    write_whole(folder.report_file, render(folder).encode("utf-8", "backslashreplace"))
    return folder.report_file


def render(folder: RunFolder, *, live: bool = False) -> str:
    """The page as text: one file that needs no other, nothing in it taken as HTML that came from outside.

    With `live` it asks the server that it came from for news.
    """
    return filled("report/run.html", gather(contents.read(folder)), live=live)


def filled(template: str, values: dict[str, Any], *, live: bool = False) -> str:
    """A template of the package with values, which are escaped."""
    script = (_text("report/live.js") if live else "") + _text(
        "report/page.js"
    )  # live.js sees the page as it came
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_text),
    )  # fmt: skip
    environment.filters |= {"percent": percent, "duration": duration, "counted": counted}
    environment.globals |= {
        "style": Markup(_text("report/page.css")),
        "script": Markup(script),
        "script_digest": f"sha256-{digest}",
        "live": live,
        "version": __version__,
    }
    return environment.get_template(template).render(values)


def _text(name: str) -> str:
    return (resources.files("plaingrad") / name).read_text("utf-8")


def gather(made: Contents) -> dict[str, Any]:
    """What the page shows."""
    held_out, history = made.held_out, made.history
    what = "images" if made.network is None or len(made.network.input_shape) == 3 else "samples"
    sentence, doubt = headline(history, made.samples, what)
    return {
        "name": made.folder.path.resolve().name,
        "recipe": made.recipe,
        "headline": sentence,
        "doubt": doubt,
        "pairs": _numbers(made),
        "problems": made.problems,
        "diagnosis": made.diagnosis,
        "loss": _loss(made),
        "accuracy": _accuracy(made),
        "records": history.records,
        "what": what,
        "held_out": held_out,
        "shown": None if held_out is None else samples.Shown(held_out),
        "weights": _weights(made),
        "layers": _layers(made),
        "calibration": _calibration(made),
        "network": made.network,
        "times": _times(history.times),
        "again": _again(made),
        "go_on": made.folder.resume_command if history.result is None and made.network is not None else None,
        "facts": made.facts,
        "recipe_text": made.recipe_text,
    }


def _numbers(made: Contents) -> list[tuple[str, str]]:
    """The numbers under the headline that it does not say itself: each with what it is."""
    result, history = made.history.result, made.history
    measured = [own.val_accuracy for own in history.records if own.val_accuracy is not None]
    memory = stated(result, "peak_memory_mb")
    said = result is not None and stated(result, "test_accuracy", most=1) is None
    pairs: list[tuple[str | None, str]] = [
        (percent(max(measured)) if measured and not said else None, "best validation accuracy"),
        (f"{made.network.params.flat.size:,}" if made.network else None, "parameters"),
        (
            f"{len(history.losses):,}" if history.losses else None,
            "step" if len(history.losses) == 1 else "steps",
        ),
        (duration(history.records[-1].seconds) if history.records else None, "training time"),
        (None if memory is None else f"{memory:,.0f} MB", "peak memory"),
    ]
    return [(number, what) for number, what in pairs if number is not None]


def _loss(made: Contents) -> Drawing | None:
    history = made.history
    if not history.losses and not history.records:
        return None
    rate = None if made.recipe is None else planned_rate(made.recipe, history)
    figure = plots.loss(history, legend=False, learning_rate=rate)
    last = history.records[-1].loss if history.records else history.losses[-1]
    told = f"It is {last:.4g} at last." if math.isfinite(last) else "It is no finite number at last."
    return drawing(figure, "loss", "Loss, and the learning rate beneath", told)


def _accuracy(made: Contents) -> Drawing | None:
    records = made.history.records
    if not records:
        return None
    figure = plots.accuracy(made.history, legend=False)
    last = records[-1]
    told = f"Training {percent(last.train_accuracy)}, validation {percent(last.val_accuracy)} at last."
    return drawing(figure, "accuracy", "Training and validation accuracy", told)


def _layers(made: Contents) -> Drawing | None:
    looks = made.evidence.looks
    if not any(own.layers for own in looks):
        return None
    told = (
        "Standard deviation of the output, share of zeros, gradient size and relative update of each layer."
    )
    figure = plots.layers(looks, steps=len(made.history.losses))
    return drawing(figure, "layers", "The layers over time", told)


def _calibration(made: Contents) -> Drawing | None:
    held_out = made.held_out
    if held_out is None or not held_out.probabilistic or not len(held_out.labels):
        return None
    told = f"The mean distance from the diagonal is {percent(held_out.calibration_error)}."
    figure = plots.calibration(held_out, legend=False)
    return drawing(figure, "calibration", "How often the network is right, by how sure it is", told)


def _weights(made: Contents) -> dict[str, str] | None:
    """The first layer's weights before training and at the best checkpoint, as pictures."""
    if made.network is None or made.untrained is None:
        return None
    shape, urls = made.network.input_shape, {}
    for when, network in (("before", made.untrained), ("best", made.network)):
        weight = first_weight(network)
        picture = None if weight is None else weight_grid(weight, shape)
        if picture is None:
            return None
        urls[when] = data_url(picture, "png")
    return urls


# What the parts of the time are called on the page, where that differs.
CALLED = {
    "first look": "before the first step, compiling included",
    "watching": "the doctor's looks",
    "facts of the data": "the doctor's look at the data",
    "writing": "writing files",
}


def _times(times: dict[str, float]) -> list[tuple[str, float, float]]:
    """Parts of the run, the longest first, and all of it: name, seconds, share.  The shortest are one part."""
    total = sum(times.values())
    longest = sorted(((own, CALLED.get(part, part)) for part, own in times.items()), reverse=True)
    shown = [(part, own, own / total) for own, part in longest if own >= 0.01 * total and own > 0]
    rest = total - sum(own for _, own, _ in shown)
    if rest > 0.0005 * total:
        shown.append(("the rest", rest, rest / total))
    return [*shown, ("in all", total, 1.0)] if total else []


def _again(made: Contents) -> list[tuple[str, str]]:
    """Commands that go on from this page, each with what it does."""
    path = shlex.quote(str(made.folder.path))
    commands = [("train it again", f"plaingrad train {shlex.quote(str(made.folder.recipe_file))}")]
    if made.diagnosis is not None and not made.diagnosis.ok:
        commands.append(("try the doctor's change", f"plaingrad diagnose {path} --try"))
    if made.network is not None:
        commands.append(("measure it", f"plaingrad eval {path} --per-class --confusion"))
    return commands
