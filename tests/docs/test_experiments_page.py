"""docs/experiments.md against the code: the same experiments, the same published numbers."""

from __future__ import annotations

from docs.pages import read, section, table
from plaingrad.reproduce import EXPERIMENTS

PAGE = read("experiments.md")


def test_every_protocol_is_told():
    parts = (
        "S1: the two-layer network",
        "S2: any depth, a solver, update rules",
        "S3: LeNet and its variations",
    )
    told = [row[0] for part in parts for row in table(section(PAGE, part))]
    assert told == list(EXPERIMENTS)


def test_published_numbers():
    judged, shown = section(PAGE, "Published").split("Shown, not judged:")
    for text, is_shown in ((judged, False), (shown, True)):
        assert [tuple(row) for row in table(text)] == [
            (experiment.id, published.name, str(published.value))
            for experiment in EXPERIMENTS.values()
            for published in experiment.published
            if (published.kind == "shown") == is_shown
        ]
