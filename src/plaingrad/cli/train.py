"""`plaingrad train`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from plaingrad.cli.options import Data, DataDir, Json, Seed, Set, guarded, recipe_of
from plaingrad.errors import RecipeError


@guarded
def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A built-in recipe or a .toml file; digits if not given.")
    ] = None,
    data: Data = None,
    data_dir: DataDir = None,
    set_: Set = None,
    seed: Seed = None,
    out: Annotated[str | None, typer.Option(help="The run folder; runs/NAME-TIME if not given.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Continue this run.")] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch/--no-watch", help="Record what plaingrad diagnose needs, and say what is wrong."
        ),
    ] = True,
    json: Json = False,
) -> None:
    """Train a network, test it, and write its report."""
    from plaingrad import console, training

    heard: dict[str, Any] = {"warn": console.warn, "watch": watch, "tell": console.tell}
    if resume is not None:
        _refuse_with_resume(recipe, data, data_dir, set_, seed, out)
        with console.progress() as shown:
            result = training.resume(resume, callbacks=[shown], **heard)
    else:
        settings = recipe_of(recipe or "digits", data, data_dir, set_, seed)
        with console.progress() as shown:
            result = training.train(settings, out, callbacks=[shown], **heard)
    early = ", stopped early" if result.stopped_early else ""
    print(f"test accuracy        {console.percent(result.test_accuracy)}")
    print(f"validation accuracy  {console.percent(result.best_val_accuracy)} (best)")
    print(f"training time        {result.seconds:.1f} s for {result.steps:,} steps{early}")
    print(f"run                  {result.run}")
    print(f"report               {result.report or 'could not be written'}")
    if json:
        console.print_json(result.to_dict())
    if not result.whole:
        raise typer.Exit(1)


def _refuse_with_resume(*given: Any) -> None:
    if any(value is not None and value != [] for value in given):
        raise RecipeError("--resume: a run goes on as it began; leave out the recipe and all other options")
