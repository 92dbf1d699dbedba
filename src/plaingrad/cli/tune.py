"""`plaingrad tune`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plaingrad.cli.options import Data, DataDir, Json, Set, guarded, recipe_of
from plaingrad.errors import RecipeError

if TYPE_CHECKING:
    from plaingrad.search import TrialResult


@guarded
def tune(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A built-in recipe or a .toml file; the one that the space names if not given."),
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="What varies: a .toml file or a built-in space (plaingrad spaces).")
    ] = None,
    method: Annotated[str | None, typer.Option(help="grid, random or tpe (Bayesian).")] = None,
    trials: Annotated[int | None, typer.Option(help="How many settings are tried, in all.")] = None,
    minutes: Annotated[float | None, typer.Option(help="How long the search goes on, in all.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each setting; mean and spread decide.")] = None,
    prune: Annotated[
        str | None, typer.Option(help="Stop trials that fall behind: none, median or hyperband.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes, which share out the processors.")] = 1,
    final_seeds: Annotated[
        int | None,
        typer.Option(help="Fresh seeds with which the best is trained again and tested; 3 if not given."),
    ] = None,
    data: Data = None,
    data_dir: DataDir = None,
    set_: Set = None,
    seed: Annotated[
        int | None, typer.Option(help="First of the runs' seeds; decides the draws, too.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="The study's folder; runs/tune-NAME-TIME if not given.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A database that several machines share: postgresql://..."),
    ] = None,
    resume: Annotated[str | None, typer.Option(metavar="STUDY", help="Go on with this study.")] = None,
    json: Json = False,
) -> None:
    """Search for the best settings of a recipe, then test the best."""
    from plaingrad import console
    from plaingrad.search import table, tuning

    heard: dict[str, Any] = {"tell": _tell, "warn": console.warn, "jobs": jobs, "storage": storage}
    if resume is not None:
        began_with = {
            "RECIPE": recipe, "--space": space, "--method": method, "--seeds": seeds, "--prune": prune,
            "--final-seeds": final_seeds, "--data": data, "--data-dir": data_dir, "--set": set_, "--seed": seed,
            "--out": out,
        }  # fmt: skip
        for option, value in began_with.items():
            if value not in (None, []):
                raise RecipeError(f"--resume: a study goes on as it began; leave out {option}")
        result = tuning.resume_study(resume, trials=trials, minutes=minutes, **heard)
    else:
        from plaingrad.search.space_file import overlap, read_space

        if space is None:
            raise RecipeError(
                "--space is missing: say what varies, by a .toml file or a name that plaingrad spaces lists"
            )
        read = read_space(space)
        named = recipe or read.recipe
        if named is None:
            raise RecipeError(
                f"{read.source} names no recipe: say which one, as in plaingrad tune digits --space {space}"
            )
        for own in read.dimensions:
            if any(overlap(change.partition("=")[0].strip(), own.field) for change in set_ or []):
                raise RecipeError(
                    f"--set {own.field}: the space searches that field; leave it out, or take it from the space"
                )
        start = recipe_of(named, data, data_dir, set_, seed, read.fixed)  # what is said here beats [fixed]
        result = tuning.tune(
            start, replace(read, fixed={}), method=method, trials=trials, minutes=minutes,
            seeds=seeds, prune=prune, final_seeds=3 if final_seeds is None else final_seeds, out=out, **heard,
        )  # fmt: skip
    console.table(table.columns(result), table.rows(result), right=table.numeric(result))
    print(table.summary(result))
    print(f"study    {result.path}")
    print(f"page     {result.path / 'study.html'}")
    print(f"results  {result.path / 'results.csv'}")
    if json:
        console.print_json(result.to_dict())


def _tell(what: str | TrialResult) -> None:
    """A line for what goes on."""
    from plaingrad import console

    try:
        print(what if isinstance(what, str) else what.line, flush=True)
    except BrokenPipeError:  # whoever read our lines stopped reading; that is no reason to stop searching
        console.discard_output()
