"""docs/conditions against the code: a page for each condition, with the thresholds that the rules have."""

from __future__ import annotations

import importlib
import re

import pytest

from docs.pages import DOCS, code, read, table
from plaingrad.insight.doctor.diagnosis import CONDITIONS
from plaingrad.insight.doctor.rules import RULES

PAGES = DOCS / "conditions"


def test_the_index_lists_every_condition_once():
    text = read("conditions/README.md")
    rows = [row for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:6] for row in table(part)]
    assert sorted(code(row[1])[0] for row in rows) == sorted(CONDITIONS)
    for row in rows:
        title, page = re.fullmatch(r"\[(.+)\]\((\w+\.md)\)", row[0]).groups()  # type: ignore[union-attr]
        assert page == f"{code(row[1])[0]}.md"
        assert (PAGES / page).read_text(encoding="utf-8").startswith(f"# {title}\n")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_page_tells_all_and_quotes_the_thresholds(rule):
    text = read(f"conditions/{rule.__name__}.md")
    assert f"](../images/conditions/{rule.__name__}.svg)" in text
    told = re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)
    assert told == [
        "What it looks like",
        "How the doctor recognises it",
        "Why it happens",
        "The one change to try",
        "What it is confused with",
        "Source",
    ]
    module = importlib.import_module(rule.__module__)
    assert f"rules/{rule.__module__.rsplit('.', 1)[1]}.py" in text
    quoted = dict(re.findall(r"`([A-Z_]+) = ([\d.e-]+)`", text))
    for name, value in quoted.items():
        assert float(value) == getattr(module, name), name
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", text))
    assert named <= set(quoted), "a threshold is named, but its value is not given"
