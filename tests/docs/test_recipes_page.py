"""docs/recipes.md against the code: the same fields, the same defaults, the same ranges."""

from __future__ import annotations

import copy
import itertools
import tomllib
from dataclasses import fields
from typing import Any, get_args

import pytest

from docs.pages import code, read, section, table
from plaingrad.errors import RecipeError
from plaingrad.network.description import COMBINATORS, KINDS
from plaingrad.network_settings import LayersSettings, NetworkSettings
from plaingrad.optim import RULES
from plaingrad.recipe import check
from plaingrad.schedules import SCHEDULES
from plaingrad.settings import AugmentationSettings, DataSettings, Recipe, TrainingSettings

PAGE = read("recipes.md")
SECTIONS = {"data", "augmentation", "network", "optimizer", "schedule", "training"}
COMMON = set(NetworkSettings.model_fields)
NETWORKS = {
    get_args(kind.model_fields["name"].annotation)[0]: kind
    for kind in get_args(Recipe.model_fields["network"].annotation)
}

# Title of a section of the page: the settings it describes, the fields described elsewhere, what a
# recipe needs so that the fields are in it, and where in the recipe they stand.
TABLES = {
    "Recipe": (Recipe, SECTIONS, {}, ()),
    "data": (DataSettings, set(), {}, ("data",)),
    "augmentation": (AugmentationSettings, set(), {}, ("augmentation",)),
    "network": (NetworkSettings, set(), {}, ("network",)),
    "training": (TrainingSettings, set(), {}, ("training",)),
} | {
    name: (kind, COMMON | {"name"}, {"network": {"name": name}}, ("network",))
    for name, kind in NETWORKS.items()
    if kind is not LayersSettings
}
# For each phrase of the page: values that must be accepted, and values that must not.
RANGES: dict[str, tuple[list[Any], list[Any]]] = {
    "": ([], []),
    "0 or more": ([0, 3], [-1]),
    "1 or more": ([1, 7], [0, -1]),
    "above 0": ([1e-9, 1, 3], [0, -1]),
    "from 0 to 1": ([0, 0.5, 1], [-0.001, 1.001]),
    "from 0 to below 1": ([0, 0.5, 0.999], [-0.001, 1]),
    "above 0 and below 1": ([0.001, 0.999], [0, 1]),
}


@pytest.mark.parametrize("title", TABLES)
def test_fields_and_defaults(title):
    settings, elsewhere, _, _ = TABLES[title]
    expected = {name: f.default for name, f in settings.model_fields.items() if name not in elsewhere}
    shown = {}
    for name, _, default, _ in table(section(PAGE, title)):
        shown[code(name)[0]] = None if default == "–" else _value(code(default)[0])
    assert shown == expected


def _rows():
    for title, (_, _, base, where) in TABLES.items():
        for name, value, _, _ in table(section(PAGE, title)):
            yield pytest.param(base, where, code(name)[0], value, id=f"{title}-{code(name)[0]}")


@pytest.mark.parametrize(("base", "where", "field", "value"), list(_rows()))
def test_ranges(base, where, field, value):
    good, bad = probes(value)
    for candidate in good:
        assert accepts(base, where, field, candidate), candidate
    for candidate in bad:
        assert not accepts(base, where, field, candidate), candidate


@pytest.mark.parametrize(("title", "kinds"), [("optimizer", RULES), ("schedule", SCHEDULES)])
def test_rules_and_schedules(title, kinds):
    text = section(PAGE, title)
    shown = {
        code(name)[0]: {k: v for field in code(own) for k, v in tomllib.loads(field).items()}
        for name, _, own in table(text)
    }
    assert shown == {name: {f.name: f.default for f in fields(kind)} for name, kind in kinds.items()}

    ranges = {code(name)[0]: value for name, value in table(text[text.index("| field |") :])}
    used = set(itertools.chain.from_iterable(shown.values()))
    assert set(ranges) == used | ({"warmup"} if title == "schedule" else set())
    for name, own in shown.items():
        for field in own:
            good, bad = probes(ranges[field])
            for candidate in good:
                assert accepts({title: {"name": name}}, (title,), field, candidate), (name, field, candidate)
            for candidate in bad:
                assert not accepts({title: {"name": name}}, (title,), field, candidate), (name, field)


def test_layers():
    shown = {}
    for kinds, own in table(section(PAGE, "layers")):
        fields_told = {name for name in code(own) if not name.startswith('"')}
        shown |= dict.fromkeys(code(kinds), fields_told)
    expected = {kind: {f.name for f in fields(layer)} - {"name"} for kind, layer in KINDS.items()}
    assert shown == expected | {kind: set(own) for kind, own in COMBINATORS.items()}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_may_be_warmed_up(name):
    good, bad = probes("number, 0 or more")
    for candidate in good:
        assert accepts({"schedule": {"name": name}}, ("schedule",), "warmup", candidate)
    for candidate in bad:
        assert not accepts({"schedule": {"name": name}}, ("schedule",), "warmup", candidate)


def probes(phrase: str) -> tuple[list[Any], list[Any]]:
    """Values that a field so described takes, and values that it does not."""
    if phrase == "text":
        return ["words"], [3]
    if phrase == "true or false":
        return [True, False], [1, "yes"]
    if phrase.startswith("one of "):
        return code(phrase), ["something else", 3]
    kind, _, limits = phrase.partition(", ")
    good, bad = RANGES[limits]
    match kind:
        case "number":
            return [*good, 0.5], [*bad, "much", True]
        case "whole number":
            return good, [*bad, 1.5, "many", True]
        case "table of numbers":
            wrong = [{"a": n} for n in [*bad, "much", True]]
            return [{}, *({"a": n} for n in [*good, 0.5])], [*wrong, 3, [1]]
        case "list of whole numbers":
            return [[], *([n] for n in good)], [*([n] for n in bad), 3, [1.5]]
        case "two whole numbers":
            return [[n, n] for n in good], [*([n, n] for n in bad), 3, [4], [1, 2, 3]]
    raise AssertionError(f"{phrase!r} is no description of a field")


def accepts(base: dict[str, Any], where: tuple[str, ...], field: str, value: Any) -> bool:
    """Whether a recipe with this value is a recipe."""
    recipe = {"network": {"name": "two-layer"}} | copy.deepcopy(base)
    place = recipe
    for part in where:
        place = place.setdefault(part, {})
    place[field] = value
    try:
        check(recipe)
    except RecipeError:
        return False
    return True


def _value(text: str) -> Any:
    return tomllib.loads(f"value = {text}")["value"]
