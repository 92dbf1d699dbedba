"""What is done with runs that are there: `plaingrad eval`, `predict` and `report`."""

from __future__ import annotations

from typing import Annotated

import typer

from plaingrad.cli.options import DataDir, Flip, Json, guarded


@guarded
def evaluate(
    run: Annotated[str, typer.Argument(help="A run folder.")],
    per_class: Annotated[bool, typer.Option("--per-class", help="Show the accuracy of each class.")] = False,
    confusion: Annotated[bool, typer.Option("--confusion", help="Show what was taken for what.")] = False,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, metavar="K", help="The k of the top-k accuracy; 5 if there are more classes."),
    ] = None,
    flip: Flip = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure a trained run on its validation and test set."""
    from plaingrad import console, evaluation

    measured = evaluation.evaluate(run, data_path=data_dir, top_k=top_k, flip=flip, warn=console.warn)
    console.measured(measured, each_class=per_class, matrix=confusion)
    if json:
        console.print_json({"run": run, **measured})


@guarded
def predict(
    run: Annotated[str, typer.Argument(help="A run folder.")],
    images: Annotated[list[str], typer.Argument(help="Image files.")],
    flip: Flip = False,
    json: Json = False,
) -> None:
    """Say what class each image belongs to."""
    from dataclasses import asdict

    from plaingrad import console, evaluation

    predictions = evaluation.predict(run, images, flip=flip, warn=console.warn)
    rows = [(p.image, p.label, console.percent(p.probability)) for p in predictions]
    console.table(["image", "class", "probability"], rows, right=(2,))
    if json:
        console.print_json({"run": run, "predictions": [asdict(p) for p in predictions]})


@guarded
def report(run: Annotated[str, typer.Argument(help="A run folder.")]) -> None:
    """Write a run's report.html anew."""
    from plaingrad import report as pages
    from plaingrad.errors import RunError

    try:
        print(pages.write(run))
    except OSError as error:
        raise RunError(f"{run}: the report cannot be written: {error.strerror}") from None
