"""Training recipes: TOML files that say everything a run needs, read into checked settings.

A recipe has the sections [data], [augmentation], [network], [optimizer], [schedule] and [training]; what
it leaves out has the defaults in `settings`.  Built-in recipes lie in `recipes/` and have names.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from plaingrad.errors import PlaingradError, RecipeError, suggestion
from plaingrad.settings import AugmentationSettings, DataSettings, Recipe, TrainingSettings

Kind = Literal["recipe", "space"]


def read_recipe(
    name_or_path: str | Path,
    overrides: Iterable[str] = (),
    values: Mapping[str, Any] | None = None,
    *,
    defaults: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe of that name, or in that file, with overrides such as "optimizer.lr=0.01".

    `values` are overrides that need no parsing, such as {"seed": 3}; they win.  `defaults` are like them, and
    lose against overrides: they change what the file says.

    Overriding a section's `name` starts that section anew: the fields of another network or rule do
    not carry over.  Raises RecipeError naming the file and the field.
    """
    table, source = named_table(name_or_path)
    table.pop("run", None)  # facts about the run that a run folder's recipe.toml holds
    table.setdefault("name", Path(name_or_path).stem)
    changes = [(_path(field), value) for field, value in (defaults or {}).items()]
    changes += [_override(text) for text in overrides]
    changes += [(field.split("."), value) for field, value in (values or {}).items()]
    _set_all(table, changes)
    return check(table, source)


def changed(recipe: Recipe, values: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """The recipe with other values for some fields, such as {"optimizer.lr": 0.01}.

    A section's `name` starts that section anew, as in `read_recipe`.  Raises RecipeError naming `source`.
    """
    table = recipe.model_dump()
    try:
        _set_all(table, [(_path(field), value) for field, value in values.items()])
    except RecipeError as error:
        raise RecipeError(f"{source}: {error}") from None
    return check(table, source)


def check(table: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """A recipe from a table of settings.  Raises RecipeError naming `source` and the field."""
    try:
        recipe = Recipe.model_validate(dict(table))
        recipe.rule()
        recipe.learning_rate_schedule()
    except ValidationError as error:
        raise RecipeError(f"{source}: {_sentence(error)}") from None
    except PlaingradError as error:
        raise RecipeError(f"{source}: {error}") from None
    except OverflowError as error:
        raise RecipeError(f"{source}: a number is too large: {error}") from None
    return recipe


def built_in(kind: Kind = "recipe") -> dict[str, str]:
    """The names of the built-in recipes, or spaces, each with its line of description."""
    folder = resources.files("plaingrad") / f"{kind}s"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {f.name[:-5]: tomllib.loads(f.read_text("utf-8"))["description"] for f in files}


def named_table(name_or_path: str | Path, kind: Kind = "recipe") -> tuple[dict[str, Any], str]:
    """The built-in recipe or space of that name, or the one in that file, as tables; and where that is, in words."""
    path, names = Path(name_or_path), built_in(kind)
    if path.suffix == ".toml" or (os.path.isfile(path) and str(name_or_path) not in names):
        source = str(path) if kind == "recipe" else f"{kind} {path}"
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{kind} file {path} cannot be read: {error}") from None
    elif str(name_or_path) in names:
        source = f"{kind} {name_or_path}"
        text = (resources.files("plaingrad") / f"{kind}s" / f"{name_or_path}.toml").read_text("utf-8")
    else:
        raise RecipeError(
            f"there is no {kind} {str(name_or_path)!r} and no such file; "
            f"{suggestion(str(name_or_path), names)}, or give a path that ends in .toml"
        )
    try:
        return tomllib.loads(text), source
    except ValueError as error:  # a number of thousands of digits is one, too
        raise RecipeError(f"{source} is not valid TOML: {error}") from None
    except RecursionError:
        raise RecipeError(f"{source} is nested too deeply to be a {kind}") from None


def _override(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise RecipeError(f"--set {text}: write it as section.field=value, such as optimizer.lr=0.01")
    path = _path(key.strip())
    try:
        return path, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return path, value.strip()  # a word without quotes is a string


def _path(key: str) -> list[str]:
    """The parts of a dotted key; a part that holds a dot itself stands in quotes, as in TOML."""
    try:
        inner: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:  # such as a pattern without quotes
        return key.split(".")
    path = []
    while isinstance(inner, dict):
        ((part, inner),) = inner.items()
        path.append(part)
    return path


def _set_all(table: dict[str, Any], changes: Iterable[tuple[list[str], Any]]) -> None:
    """Make the changes, those of a section's name first."""
    for path, value in sorted(changes, key=lambda change: change[0][-1] != "name"):
        _set(table, path, value)


def _set(table: dict[str, Any], path: list[str], value: Any) -> None:
    *sections, field = path
    for section in sections:
        inner = table.setdefault(section, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"{'.'.join(path)}: {section} is a value, not a section")
        # Another network, rule or schedule: the fields of the one before would not fit it.
        if field == "name" and section != "data" and inner.get("name") != value:
            inner.clear()
        table = inner
    table[field] = value


def _sentence(error: ValidationError) -> str:
    """The first problem in words: the field, what is wrong, and what there is instead."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if len(where) > 1 and where[0] == "network":  # pydantic adds which of the networks it tried
        del where[1]
    field = ".".join(where)
    if first["type"] == "extra_forbidden":
        return f"{field}: there is no such field; {suggestion(where[-1], _known(where[:-1], error))}"
    if first["type"] == "union_tag_invalid":
        context = first.get("ctx", {})
        choices = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        return f"network.name: there is no network {context['tag']!r}; {suggestion(context['tag'], choices)}"
    if first["type"] == "union_tag_not_found":
        return 'network.name is missing: say which network, such as name = "two-layer"'
    if first["type"] == "value_error":  # one of our own, which names the field
        return str(first.get("ctx", {})["error"])
    if first["type"] == "missing":
        return f"[{field}] is missing"
    return f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}"


def _known(sections: list[str], error: ValidationError) -> Iterable[str]:
    """The field names of the section that an unknown field was found in."""
    tag = next((e["loc"][1] for e in error.errors() if e["loc"][0] == "network"), "")
    networks = get_args(Recipe.model_fields["network"].annotation)
    network = next((n for n in networks if tag in get_args(n.model_fields["name"].annotation)), Recipe)
    models = {"data": DataSettings, "augmentation": AugmentationSettings}
    models |= {"training": TrainingSettings, "network": network}
    return models.get(sections[0], Recipe).model_fields if sections else Recipe.model_fields
