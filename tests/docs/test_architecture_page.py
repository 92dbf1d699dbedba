"""docs/architecture.md against the code: the floor plan is the one that CI holds."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields

from docs.pages import ROOT, code, read, section, table
from plaingrad.callbacks import EpochRecord

PAGE = read("architecture.md")
PACKAGE = ROOT / "src" / "plaingrad"


def test_floor_plan_is_the_import_contract():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    held = [{name.strip("() ") for name in layer.split("|")} for layer in contract["layers"]]
    assert [set(code(row[0])) for row in table(section(PAGE, "The floor plan"))] == held


def test_every_file_of_a_folder_is_named():
    text = section(PAGE, "The floor plan")
    for folder, told in re.findall(r"^- `([\w/]+)/`: (.+)$", text, re.MULTILINE):
        if folder not in ("ops", "recipes"):  # a file for each family, a file for each recipe
            files = {path.name for path in (PACKAGE / folder).glob("*.py")} - {"__init__.py"}
            assert files <= set(code(told)), folder


def test_history_lines():
    epoch = next(row for row in table(section(PAGE, "History")) if row[0] == "`epoch`")
    assert code(epoch[1]) == [field.name for field in fields(EpochRecord)]
