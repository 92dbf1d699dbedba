"""`plaingrad diagnose`."""

from __future__ import annotations

from typing import Annotated

import typer

from plaingrad.cli.options import DataDir, Json, guarded
from plaingrad.errors import RecipeError


@guarded
def diagnose(
    run: Annotated[str, typer.Argument(help="A run folder.")],
    try_: Annotated[
        bool, typer.Option("--try", help="Make the first change, and train with and without it for a while.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of --try: at most so many steps of each; 500 if not given.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Of --try: at most so long without the change; 60 if not given.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say what is wrong with a run, how sure that is, and what to change.

    Exits with 0 whether or not something is wrong: it is the diagnosis that has worked.
    """
    from plaingrad import console, diagnosis

    if not try_ and (steps is not None or seconds is not None):
        raise RecipeError("--steps and --seconds are limits of --try: add it, or leave them out")
    made = diagnosis.diagnose(run, data_path=data_dir, warn=console.warn)
    print(made)
    trial = None
    if try_:
        steps, seconds = 500 if steps is None else steps, 60.0 if seconds is None else seconds
        if any(finding.remedy for finding in made.findings):
            typer.echo("training for a while without the first change, then with it", err=True)
        trial = diagnosis.try_change(run, made, steps=steps, seconds=seconds, data_path=data_dir)
        print()
        if trial is None:
            print("Nothing to try: no finding has a change that the recipe can make.")
        else:
            console.trial(trial)
    if json:
        tried = {"trial": None if trial is None else trial.to_dict()} if try_ else {}
        console.print_json({"run": run, **made.to_dict(), **tried})
