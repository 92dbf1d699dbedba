"""A matplotlib Figure as part of a page: inline SVG that a script can read values from, and no more than that."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plaingrad.plots.style import PerCent, house_style
from plaingrad.report.values import printable

_MARK = "series-"
_POINTS_PER_INCH = 72  # the unit of matplotlib's SVG
_NUMBER = re.compile(r"-?\d+\.\d+")
_FONT = re.compile(r"font: ((?:\w+ )*)([\d.]+px) [^;]*")  # as older versions of matplotlib write it
_FAMILY = re.compile(r"font-family: [^;]*; ?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


@dataclass(frozen=True)
class Series:
    """A curve of a drawing: what it is called there and in its legend, and its colour, such as "#0072b2"."""

    key: str
    label: str
    color: str


@dataclass(frozen=True)
class Drawing:
    """A picture for a page.

    svg: one <svg> element, with a title and a description for those who cannot see it; its ids begin with
    the drawing's name.  series: the legend, in the order of drawing.  data: JSON for a script element: in
    "panels" the axes, where they lie in the picture, and the values of their curves.
    """

    svg: Markup
    series: tuple[Series, ...]
    data: Markup


def drawing(figure: Figure, name: str, title: str, description: str) -> Drawing:
    """The figure under a name that no other drawing of the page has.

    An artist with the gid "series-KEY" becomes an element of the class "series" with KEY as data-series;
    lines among them are the curves of the legend and of the data.  The same figure gives the same bytes.
    """
    root = _svg(figure)
    _cleaned(root, name)
    for tag, text in (("desc", description), ("title", title)):
        element = ElementTree.Element(tag, {"id": f"{name}-{tag}"})
        element.text = printable(text)
        root.insert(0, element)
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "drawing",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
        "viewBox": root.attrib["viewBox"],
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    series: dict[str, Series] = {}
    for axes in figure.axes:
        for line, key in _curves(axes):
            series.setdefault(key, Series(key, str(line.get_label()), to_hex(line.get_color())))
    data = {"panels": [_panel(axes, figure) for axes in figure.axes if any(_curves(axes))]}
    return Drawing(
        Markup(ElementTree.tostring(root, encoding="unicode")), tuple(series.values()), script_safe(data)
    )


def script_safe(values: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it ends the element or opens another."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _svg(figure: Figure) -> ElementTree.Element:
    """What matplotlib draws, with text as text."""
    out = io.BytesIO()
    with house_style({"svg.fonttype": "none"}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    return ElementTree.fromstring(out.getvalue())


def _cleaned(root: ElementTree.Element, name: str) -> None:
    """Take out what a page has no use for, and make the rest fit for one that holds other drawings."""
    used: set[str] = set()
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): value for key, value in element.attrib.items()}
        for key, value in element.attrib.items():
            used |= set(_REFERENCE.findall(value))
            if key == "href" and value.startswith("#"):
                used.add(value[1:])
        if element.tag != "text":  # layout between elements
            element.text = None
        element.tail = None
    for element in root.iter():
        own = element.attrib.pop("id", "")
        if own.startswith(_MARK):
            element.attrib |= {"class": "series", "data-series": own.removeprefix(_MARK)}
        elif own in used:
            element.attrib["id"] = f"{name}-{own}"
        element.attrib = {
            key: _attribute(key, value, name)
            for key, value in element.attrib.items()
            if not value.startswith("rotate(-0 ")  # nothing is turned
        }
    _thin_out(root)


def _thin_out(parent: ElementTree.Element) -> None:
    """Leave out what shows nothing, and groups that hold together nothing."""
    children: list[ElementTree.Element] = []
    for child in parent:
        _thin_out(child)
        # A style element of matplotlib's would hold for the whole page.
        if child.tag in ("metadata", "style") or (child.tag in ("g", "defs") and not len(child)):
            continue
        if child.get("style") == "fill: none":  # the ground of a figure that is transparent
            continue
        children += child if child.tag == "g" and not child.attrib else [child]
    parent[:] = children


def _attribute(key: str, value: str, name: str) -> str:
    """An attribute's value with short numbers, the page's own font, and references to the new ids."""
    if key == "href" and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    if key in ("d", "x", "y", "width", "height", "transform"):
        short = _NUMBER.sub(_short, value)
        return " ".join(short.split())
    if key == "style":
        return _FAMILY.sub("", _FONT.sub(_font, _REFERENCE.sub(rf"url(#{name}-\1)", value)))
    return _REFERENCE.sub(rf"url(#{name}-\1)", value)


def _short(number: re.Match[str]) -> str:
    """A number in hundredths of a point."""
    return f"{round(float(number[0]), 2) + 0.0:g}"  # which makes 0 of -0


def _font(font: re.Match[str]) -> str:
    """The size, and the weight if it is not the usual one; the family is the page's."""
    weight = next((word for word in font[1].split() if word.isdigit() and word != "400"), None)
    return f"font-size: {font[2]}" + (f"; font-weight: {weight}" if weight else "")


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _curves(axes: Axes) -> Iterator[tuple[Line2D, str]]:
    """The lines of the axes that are series, and their keys."""
    for line in axes.lines:
        gid = line.get_gid() or ""
        if gid.startswith(_MARK):
            yield line, gid.removeprefix(_MARK)


def _panel(axes: Axes, figure: Figure) -> dict[str, Any]:
    """Where axes lie in the picture, what they show, and the values of their curves."""
    width, height = (_POINTS_PER_INCH * inches for inches in figure.get_size_inches())
    box = axes.get_position()
    return {
        "box": [
            _digits(v, 5)
            for v in (box.x0 * width, (1 - box.y1) * height, box.x1 * width, (1 - box.y0) * height)
        ],
        "xlim": [_digits(v, 6) for v in axes.get_xlim()],
        "ylim": [_digits(v, 6) for v in axes.get_ylim()],
        "xlog": axes.get_xscale() == "log",
        "ylog": axes.get_yscale() == "log",
        "xlabel": axes.get_xlabel() or _below(axes, figure).get_xlabel(),
        "ylabel": axes.get_ylabel() or axes.get_title(loc="left"),
        "percent": isinstance(axes.yaxis.get_major_formatter(), PerCent),
        "series": [_values(line, key) for line, key in _curves(axes)],
    }


def _values(line: Line2D, key: str) -> dict[str, Any]:
    """The points of a curve and, where its height tells nothing, what is read off there."""
    points = {"x": line.get_xdata(), "y": line.get_ydata(), "values": getattr(line, "read_as", None)}
    numbers = {
        name: [_digits(v) for v in np.asarray(own, dtype=np.float64)]
        for name, own in points.items()
        if own is not None
    }
    return {"key": key, "label": str(line.get_label()), **numbers}


def _below(axes: Axes, figure: Figure) -> Axes:
    """The lowest of the axes that share this one's x axis: it alone is named."""
    shared = [own for own in figure.axes if axes.get_shared_x_axes().joined(axes, own)]
    return min(shared, key=lambda own: own.get_position().y0, default=axes)


def _digits(value: float, digits: int = 4) -> float | None:
    """A number in so many significant digits; None where it is not finite."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short
