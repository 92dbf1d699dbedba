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
def report(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Run folders; a study's folder stands for its trials."),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", help="Where to write the page of several runs; beside the first if not given."
        ),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Of a study in a database: where it is stored.")
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option("--data-dir", help="Where the data lies: measure each sample of one run anew."),
    ] = None,
) -> None:
    """Write the page of a run or of a study anew, or one page that compares several."""
    from pathlib import Path

    from plaingrad import console, evaluation
    from plaingrad import report as pages
    from plaingrad.errors import RunError

    alone = runs[0] if len(runs) == 1 else None
    study = alone is not None and Path(alone, "study.toml").is_file()
    if alone is not None and out is not None:
        raise RunError("--out is for the comparison of several runs: the page of one lies in its folder")
    if storage is not None and not study:
        raise RunError("--storage is for one study in a database")
    if data_dir is not None and (alone is None or study):
        raise RunError("--data-dir is for the page of one run, whose samples are then measured anew")
    try:
        if alone is None:
            page = pages.compare(runs, out)
        elif study:
            from plaingrad.search.page import write_page
            from plaingrad.search.reading import read_study

            page = write_page(read_study(alone, storage=storage))
        else:
            page = evaluation.write_report(alone, data_path=data_dir, warn=console.warn)
    except OSError as error:
        raise RunError(f"{out or runs[0]}: the page cannot be written: {error.strerror}") from None
    print(page)
