"""A page as a tree of elements, with what must hold for every page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

# The sections of a page, by what they are made of.
OF_SAMPLES = ["classes", "confusion", "mistakes", "samples", "trust"]
OF_WEIGHTS = ["weights", "network"]
OF_CURVES = ["learning", "signal", "time"]
ALWAYS = ["findings", "again"]
ALL = {*OF_SAMPLES, *OF_WEIGHTS, *OF_CURVES, *ALWAYS}

_VOID = {"meta", "img", "br", "hr", "link", "input"}
_TEXT = {"aria-label", "data-told", "title", "alt"}
_POLICY = "Content-Security-Policy"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.builder = TreeBuilder()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{self.get_starttag_text()}: an attribute twice"
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in _VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()} closes another element"
        self.builder.end(tag)

    def handle_data(self, data):
        self.builder.data(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment on the page: {data!r}")


class Parsed:
    """A page that is well nested; `root` is its <html>."""

    def __init__(self, text: str) -> None:
        self.text = text
        reader = _Reader()
        reader.feed(text)
        reader.close()
        assert not reader.open
        self.root = reader.builder.close()

    def all(self, path: str) -> list[Element]:
        """The elements at a path of ElementTree's, in the order of the page."""
        return self.root.findall(path)

    def one(self, path: str) -> Element:
        """The only one there."""
        (found,) = self.all(path)
        return found

    def section(self, name: str) -> Element | None:
        """The section of a name; None if the page has none."""
        return self.root.find(f".//section[@id='{name}']")

    @property
    def sections(self) -> list[str]:
        return [own.attrib["id"] for own in self.all(".//section")]

    @property
    def headline(self) -> str:
        return said(self.one(".//p[@class='headline']"))

    @property
    def problems(self) -> list[str]:
        return [said(own) for own in self.all(".//ul[@class='problems']/li")]

    def rows(self, path: str) -> list[list[str]]:
        """The texts of the cells of a table's body."""
        return [[said(cell) for cell in row] for row in self.one(path).findall("tbody/tr")]

    def panels(self, chart: str) -> list[dict[str, Any]]:
        """The data behind a drawing."""
        return json.loads(text(self.one(f".//figure[@id='{chart}']/script")))["panels"]

    def curve(self, chart: str, key: str) -> tuple[list[float], list[float | None]]:
        """The points of a curve of a drawing."""
        (own,) = [s for panel in self.panels(chart) for s in panel["series"] if s["key"] == key]
        return own["x"], own["y"]

    def check(self) -> Parsed:
        """What holds for every page: it is complete in itself, and all that refers to something finds it."""
        ids = [own.attrib["id"] for own in self.root.iter() if "id" in own.attrib]
        assert len(ids) == len(set(ids))
        for own in self.root.iter():
            self._check_element(own, set(ids))
        style = text(self.one("head/style"))
        assert not re.search(r"url\(|@import", style)
        (script,) = [own for own in self.root.iter("script") if own.attrib.get("type") is None]
        digest = base64.b64encode(hashlib.sha256(text(script).encode()).digest()).decode()
        policy = self.one(f".//meta[@http-equiv='{_POLICY}']").attrib["content"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["script-src"] == f"'sha256-{digest}'"
        assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
        assert rules["img-src"] == "data:"
        for own in self.root.iter("script"):
            assert own is script or json.loads(text(own))["panels"] is not None
        for own in (self.one(".//p[@class='headline']"), self.one(".//dl[@class='numbers']")):
            assert not re.search(r"\b(nan|None|inf)\b", said(own))
        return self

    @staticmethod
    def _check_element(own: Element, ids: set[str]) -> None:
        assert own.tag not in ("iframe", "object", "embed", "base", "form", "link", "foreignobject")
        for name, value in own.attrib.items():
            assert not name.startswith("on"), f"{own.tag} {name}"
            if name in _TEXT:
                continue
            for target in re.findall(r"url\((.*?)\)", value):
                assert target.startswith("data:image/") or target.removeprefix("#") in ids, target[:80]
            if name in ("src", "href", "xlink:href", "srcset", "action", "poster", "data"):
                assert value.startswith("data:image/") or (value[:1] == "#" and value[1:] in ids), value[:80]
            if name in ("aria-labelledby", "aria-describedby", "aria-controls", "for"):
                assert set(value.split()) <= ids, value
            assert not value.startswith(("http:", "https:", "//")) or name == "xmlns"


def text(element: Element) -> str:
    """The text in an element, as it stands."""
    return "".join(element.itertext())


def said(element: Element) -> str:
    """The text in an element, as one reads it."""
    return " ".join(text(element).split())
