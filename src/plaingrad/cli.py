"""The command line: parse, call, print.  Heavy imports happen inside the commands."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from plaingrad.errors import Interrupted, PlaingradError, RecipeError

app = typer.Typer(
    help="Neural networks with the backward pass in plain sight.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Data sets: list, fetch, verify.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        from plaingrad import __version__

        print(f"plaingrad {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Neural networks with the backward pass in plain sight."""


Json = Annotated[bool, typer.Option("--json", help="End with one line of JSON.")]
DataDir = Annotated[str | None, typer.Option("--data-dir", help="The folder that holds the data.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Override a field.")]
Seed = Annotated[int | None, typer.Option(help="Seed of weights, order, augmentation and dropout.")]
Flip = Annotated[bool, typer.Option("--flip", help="Average each image's scores with its mirror image's.")]


def guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn our own errors into one sentence and their exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except PlaingradError as error:
            typer.echo(f"plaingrad: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except Interrupted as interrupt:
            typer.echo(f"plaingrad: {interrupt}", err=True)
            raise typer.Exit(128 + interrupt.signal) from None
        except KeyboardInterrupt:
            typer.echo("plaingrad: interrupted", err=True)
            raise typer.Exit(130) from None
        except MemoryError as error:
            typer.echo(
                f"plaingrad: not enough memory: {error}; make the network, the batch or the images smaller",
                err=True,
            )
            raise typer.Exit(1) from None
        except BrokenPipeError:  # whoever read our output stopped reading
            from plaingrad.console import discard_output

            discard_output()

    return wrapped


@app.command()
@guarded
def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A built-in recipe or a .toml file; digits if not given.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="A data set, a folder of images, or an .npz file.")] = None,
    data_dir: DataDir = None,
    set_: Set = None,
    seed: Seed = None,
    out: Annotated[str | None, typer.Option(help="The run folder; runs/NAME-TIME if not given.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Continue this run.")] = None,
    json: Json = False,
) -> None:
    """Train a network, test it, and write its report."""
    from plaingrad import console, training

    if resume is not None:
        _refuse_with_resume(recipe, data, data_dir, set_, seed, out)
        with console.progress() as shown:
            result = training.resume(resume, callbacks=[shown], warn=console.warn)
    else:
        settings = _recipe(recipe or "digits", data, data_dir, set_, seed)
        with console.progress() as shown:
            result = training.train(settings, out, callbacks=[shown], warn=console.warn)
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


@app.command()
@guarded
def recipes() -> None:
    """List the built-in recipes."""
    from plaingrad import console
    from plaingrad.recipe import built_in

    console.table(["recipe", "what it trains"], built_in().items())


@app.command(name="eval")
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


@app.command()
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


@app.command()
@guarded
def check(
    recipe: Annotated[str, typer.Argument(help="A built-in recipe or a .toml file.")] = "digits",
    data: Annotated[str | None, typer.Option(help="A data set, a folder of images, or an .npz file.")] = None,
    data_dir: DataDir = None,
    set_: Set = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Check a whole network's gradients.

    They are compared with numeric differences, on a few samples of the data.
    """
    from plaingrad import console, training

    report = training.check(_recipe(recipe, data, data_dir, set_, seed))
    print(report)
    if json:
        console.print_json(report.to_dict())
    if not report.ok:
        raise typer.Exit(1)


@app.command()
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


@app.command()
@guarded
def bench(
    workloads: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="W1 ... W6; all if none.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="How often everybody trains, by turns.")] = 15,
    steps: Annotated[int | None, typer.Option(help="Steps in a round; if not given, by workload.")] = None,
    threads: Annotated[
        int | None, typer.Option(help="For every library; all processors if not given.")
    ] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Measure at this batch size; repeatable.")] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIBRARY",
            help="pytorch, scikit-learn, jax, keras or course-numpy; repeatable, all if none.",
        ),
    ] = None,
    memory: Annotated[bool, typer.Option(help="Measure memory, each contender in its own process.")] = True,
    out: Annotated[str | None, typer.Option(help="The folder; runs/bench-TIME if not given.")] = None,
    json: Json = False,
) -> None:
    """Time training side by side with other libraries."""
    from plaingrad import bench as benchmark
    from plaingrad import console

    session = benchmark.Session(
        workloads or (), batches=batch or (), rounds=rounds, steps=steps, threads=threads,
        against=against or (), out=out, memory=memory,
    )  # fmt: skip
    print(session.conditions, flush=True)
    for workload in session.workloads:
        print(f"{workload.id}: {workload.title} ...", file=sys.stderr, flush=True)
        outcome = session.measure(workload)
        print(f"\n{outcome.title}")
        console.table(benchmark.COLUMNS, outcome.rows(), right=benchmark.RIGHT)
        for note in outcome.notes:
            print(f"  {note}")
    session.draw()
    if len(session.outcomes) > 1:
        print()
        rows = [outcome.summary_row() for outcome in session.outcomes]
        console.table(benchmark.SUMMARY_COLUMNS, rows, right=benchmark.SUMMARY_RIGHT)
    print(f"\nevery round, tables, picture: {session.out}")
    if json:
        console.print_json({"out": str(session.out), **session.to_dict()})


@app.command()
@guarded
def report(run: Annotated[str, typer.Argument(help="A run folder.")]) -> None:
    """Write a run's report.html anew."""
    from plaingrad import report as pages
    from plaingrad.errors import RunError

    try:
        print(pages.write(run))
    except OSError as error:
        raise RunError(f"{run}: the report cannot be written: {error.strerror}") from None


@data_app.command("list")
@guarded
def data_list() -> None:
    """List the data sets."""
    from plaingrad import console
    from plaingrad.data import SOURCES

    rows = [(name, source.summary) for name, source in SOURCES.items()]
    console.table(["data set", "what it is"], rows)


@data_app.command("fetch")
@guarded
def data_fetch(name: str, data_dir: DataDir = None) -> None:
    """Download a data set, verify and unpack it."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from plaingrad.data import fetch

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, disable=not sys.stdout.isatty()) as bars:
        tasks: dict[str, Any] = {}

        def shown(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file)
            bars.update(tasks[file], completed=done, total=total)

        folder = fetch(name, data_dir, progress=shown)
    print(f"{name} is in {folder}")


@data_app.command("verify")
@guarded
def data_verify(name: str, data_dir: DataDir = None, json: Json = False) -> None:
    """Compare every file of a data set with its published sum."""
    from plaingrad import console
    from plaingrad.data import verify

    results = verify(name, data_dir)
    console.table(["file", "state"], [(str(file), message) for file, _, message in results])
    if json:
        console.print_json({"files": [{"file": str(f), "ok": ok, "message": m} for f, ok, m in results]})
    if not all(ok for _, ok, _ in results):
        raise typer.Exit(1)


def _recipe(
    name: str, data: str | None, data_dir: str | None, changes: list[str] | None, seed: int | None
) -> Any:
    from plaingrad.recipe import read_recipe

    values = {"data.name": data, "data.path": data_dir, "seed": seed}
    return read_recipe(name, changes or [], {field: v for field, v in values.items() if v is not None})


def _refuse_with_resume(*given: Any) -> None:
    if any(value is not None and value != [] for value in given):
        raise RecipeError("--resume: a run goes on as it began; leave out the recipe and all other options")


def main() -> None:
    """The entry point of the command `plaingrad`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no dash gets a question mark
    app()
