"""`plaingrad check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from plaingrad.cli.options import Data, DataDir, Json, Seed, Set, guarded, recipe_of
from plaingrad.errors import RecipeError

if TYPE_CHECKING:
    from plaingrad.insight import GradientReport


@guarded
def check(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|FILE.py:NAME", help="A built-in recipe, a .toml file, or code of your own."
        ),
    ] = "digits",
    data: Data = None,
    data_dir: DataDir = None,
    set_: Set = None,
    seed: Seed = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="LINE", help="Run this line alone (repeatable).")
    ] = None,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Print the whole table of the gradient check instead.")
    ] = False,
    input_shape: Annotated[
        str | None, typer.Option(metavar="C,H,W", help="Of one sample, for FILE.py:NAME: 3,32,32 or 3072.")
    ] = None,
    classes: Annotated[int | None, typer.Option(help="How many, for FILE.py:NAME.")] = None,
    json: Json = False,
) -> None:
    """Look for what would spoil a run before it starts, or check the gradients of your own file.

    RECIPE: data, initial loss, gradients, layers, learning rate, time and memory, a line each; exit code 1
    if one fails.  FILE.py:NAME: the gradients of that class or function.
    """
    from plaingrad import console

    if ".py:" in recipe or recipe.endswith(".py"):
        _refuse(
            "is for a recipe, not for code of your own",
            {"--data": data, "--data-dir": data_dir, "--set": set_, "--only": only, "--gradients": gradients},
        )
        _finish(_of_file(recipe, input_shape, classes, seed), json)
        return
    _refuse("is for code of your own, FILE.py:NAME", {"--input-shape": input_shape, "--classes": classes})
    settings = recipe_of(recipe, data, data_dir, set_, seed)
    if gradients:
        from plaingrad.readiness import gradient_table

        _refuse("has no meaning with --gradients", {"--only": only})
        _finish(gradient_table(settings), json)
        return
    from plaingrad import preflight

    report = preflight(settings, only=only or (), on_line=lambda line: print(line, flush=True))
    print(report.summary)
    if json:
        console.print_json({"recipe": settings.name, **report.to_dict()})
    if not report.ok:
        raise typer.Exit(1)


def _of_file(target: str, input_shape: str | None, classes: int | None, seed: int | None) -> GradientReport:
    shape = _shape(input_shape)
    from plaingrad.insight.gradients.user_file import check_file

    return check_file(target, input_shape=shape, classes=classes, seed=seed or 0)


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    sizes = [part.strip() for part in text.split(",")]
    if not all(size.isascii() and size.isdigit() and int(size) for size in sizes):
        raise RecipeError(f"--input-shape must be whole numbers above 0 such as 3,32,32, got {text!r}")
    return tuple(map(int, sizes))


def _finish(report: GradientReport, json: bool) -> None:
    """Print a gradient check, and end as it did."""
    from plaingrad import console

    print(report)
    if json:
        console.print_json(report.to_dict())
    if not report.ok:
        raise typer.Exit(1)


def _refuse(why: str, options: dict[str, Any]) -> None:
    """Raise RecipeError for an option that was given and would not be heard."""
    for option, value in options.items():
        if value not in (None, False, [], ()):
            raise RecipeError(f"{option} {why}: leave it out")
