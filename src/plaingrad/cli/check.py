"""`plaingrad check`."""

from __future__ import annotations

from typing import Annotated

import typer

from plaingrad.cli.options import Data, DataDir, Json, Seed, Set, guarded, recipe_of


@guarded
def check(
    recipe: Annotated[str, typer.Argument(help="A built-in recipe or a .toml file.")] = "digits",
    data: Data = None,
    data_dir: DataDir = None,
    set_: Set = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Check a whole network's gradients.

    They are compared with numeric differences, on a few samples of the data.
    """
    from plaingrad import console, training

    report = training.check(recipe_of(recipe, data, data_dir, set_, seed))
    print(report)
    if json:
        console.print_json(report.to_dict())
    if not report.ok:
        raise typer.Exit(1)
