"""A figure as part of a page."""

import json
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

from plaingrad import plots
from plaingrad.history import History
from plaingrad.plots.style import PerCent, mark, new_figure, styled
from plaingrad.report.drawing import Series, _attribute, drawing, script_safe
from plots.runs import falling

NAN = float("nan")
EVIL = "</script><script>alert(1)</script>&\"'"


@styled
def two_panels():
    figure = new_figure(4, 3)
    above, below = figure.subplots(2, sharex=True)
    (line,) = above.plot([1, 2, 3], [1.23456, NAN, 1000.0], color="#ff0000", label="one")
    mark(line, "one")
    above.plot([1, 3], [5, 5], color="black")  # no series
    (line,) = below.plot([1, 2, 3], [0.1, 0.2, 0.9], "o-", label=EVIL)
    mark(line, "two")
    mark(below.vlines([1, 2], 0, 1), "two")
    above.set_yscale("log")
    above.set_title("loss", loc="left")
    below.set(xlabel="epoch", ylabel="accuracy", xlim=(0, 4), ylim=(0, 1))
    below.yaxis.set_major_formatter(PerCent())
    return figure


def elements(made):
    return list(ElementTree.fromstring(str(made.svg)).iter())


def test_a_page_can_take_it_in():
    made = drawing(two_panels(), "loss", f"title {EVIL}", "what it shows")
    root, *inner = elements(made)
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    assert (root.get("class"), root.get("role")) == ("drawing", "img")
    assert root.get("viewBox") == "0 0 288 216"
    assert {"width", "height", "version"}.isdisjoint(root.attrib)
    title, desc = inner[:2]
    assert (title.tag, title.text) == (f"{space}title", f"title {EVIL}")
    assert (desc.tag, desc.text) == (f"{space}desc", "what it shows")
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert made.svg.startswith("<svg ")
    assert "<?xml" not in made.svg
    assert {own.tag.removeprefix(space) for own in inner}.isdisjoint({"style", "metadata", "script", "image"})
    assert "script>alert" not in made.svg.replace("&lt;/script&gt;&lt;script&gt;alert", "")


def test_ids_are_the_drawings_own_and_every_reference_finds_its_own():
    made = drawing(two_panels(), "loss", "", "")
    ids = [own.get("id") for own in elements(made) if own.get("id")]
    assert ids
    assert len(ids) == len(set(ids))
    assert all(own.startswith("loss-") for own in ids)
    used = {value[1:] for own in elements(made) for key, value in own.attrib.items() if key.endswith("href")}
    used |= {own.get("clip-path")[5:-1] for own in elements(made) if own.get("clip-path")}
    assert used
    assert used <= set(ids)
    other = {own.get("id") for own in elements(drawing(two_panels(), "accuracy", "", ""))}
    assert other.isdisjoint(ids)


def test_series_can_be_switched_off():
    made = drawing(two_panels(), "loss", "", "")
    assert made.series == (Series("one", "one", "#ff0000"), Series("two", EVIL, "#1f77b4"))
    marked = [own.get("data-series") for own in elements(made) if own.get("class") == "series"]
    assert sorted(marked) == ["one", "two", "two"], "the vertical lines go with their curve"


def test_data_to_read_values_from():
    made = drawing(two_panels(), "loss", "", "")
    assert not {"<", ">", "&"} & set(made.data)
    above, below = json.loads(str(made.data))["panels"]
    assert above["series"] == [{"key": "one", "label": "one", "x": [1, 2, 3], "y": [1.235, None, 1000]}]
    assert below["series"][0]["label"] == EVIL
    assert (above["ylog"], below["ylog"], above["xlog"]) == (True, False, False)
    assert (above["percent"], below["percent"]) == (False, True)
    assert (above["ylabel"], below["ylabel"]) == ("loss", "accuracy")
    assert above["xlabel"] == below["xlabel"] == "epoch", "shared axes are named once"
    assert (below["xlim"], below["ylim"]) == ([0, 4], [0, 1])


def test_a_value_lies_where_the_data_say():
    made = drawing(two_panels(), "loss", "", "")
    below = json.loads(str(made.data))["panels"][1]
    left, top, right, bottom = below["box"]
    x, y = left + (right - left) * 3 / 4, bottom + (top - bottom) * 0.9
    group = next(own for own in elements(made) if own.get("data-series") == "two")
    end = [float(number) for number in group[0].get("d").split()[-2:]]
    assert end == pytest.approx([x, y], abs=0.05)


def test_text_is_text_in_the_pages_font():
    made = drawing(two_panels(), "loss", "", "")
    written = [own for own in elements(made) if own.tag.endswith("text")]
    assert {"epoch", "loss"} <= {own.text for own in written}
    assert all("font-size" in own.get("style") for own in written)
    assert "DejaVu" not in made.svg
    assert "font-family" not in made.svg


def test_the_same_figure_gives_the_same_bytes():
    once, again = (drawing(two_panels(), "loss", "t", "d") for _ in range(2))
    assert once == again


def test_a_picture_of_a_long_run_is_small():
    history = falling(100_000, 500)
    made = drawing(plots.loss(history, legend=False), "loss", "", "")
    assert len(made.svg) < 60_000
    assert len(made.data) < 60_000


def test_no_series():
    made = drawing(plots.loss(History()), "loss", "", "")
    assert made.series == ()
    assert json.loads(str(made.data)) == {"panels": []}


@styled
def strange(text):
    figure = new_figure(3, 2)
    axes = figure.subplots()
    axes.set_title(text)
    (line,) = axes.plot([0, 1], [0, 1], label=text)
    mark(line, "one")
    return figure


@pytest.mark.parametrize("text", ["$x^2$", r"\alpha \u0041", "$", "<b>&amp;</b>", "a]]>b"])
def test_names_are_shown_as_they_are(text):
    made = drawing(strange(text), "a", text, text)
    assert text in [own.text for own in elements(made)]
    assert made.series[0].label == text
    assert json.loads(str(made.data))["panels"][0]["series"][0]["label"] == text


def test_a_character_that_no_page_can_hold():
    figure = strange("one")
    made = drawing(figure, "a", "bell \x07 \x00 \ud800", "")
    assert elements(made)[1].text == r"bell \x07 \x00 \ud800"


def test_script_safe():
    values = {"name": EVIL, "numbers": [1.5, None]}
    assert json.loads(str(script_safe(values))) == values
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_safe([np.inf])


def test_no_warning_is_left_over():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing(plots.history(falling(50, 5)), "a", "", "")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("font: 9px 'DejaVu Sans', sans-serif; fill: #444444", "font-size: 9px; fill: #444444"),
        ("font: 700 9px 'DejaVu Sans', sans-serif", "font-size: 9px; font-weight: 700"),
        (
            "font-size: 9px; font-family: 'DejaVu Sans', sans-serif; fill: #444444",
            "font-size: 9px; fill: #444444",
        ),
    ],
)
def test_fonts_as_any_version_of_matplotlib_writes_them(style, expected):
    assert _attribute("style", style, "a") == expected
