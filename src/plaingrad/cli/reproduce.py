"""`plaingrad reproduce`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from plaingrad.cli.options import DataDir, Json, guarded


@guarded
def reproduce(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="S1-a ... S3-h; all if none.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Run published experiments again: published beside measured."""
    from plaingrad import console
    from plaingrad import reproduce as experiments

    outcomes = []
    for experiment in experiments.chosen(ids or []):
        print(f"{experiment.id}: {experiment.title} ...", file=sys.stderr, flush=True)
        outcomes.append(experiments.run(experiment, seeds=seeds, data_dir=data_dir))
    rows = [row for outcome in outcomes for row in outcome.rows()]
    console.table(["id", "quantity", "published", "measured", "verdict", "seconds"], rows, right=(2, 3, 5))
    if json:
        console.print_json({"seeds": seeds, "experiments": [outcome.to_dict() for outcome in outcomes]})
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(1)
