"""The command line: parse, call, print.  A file for each command; heavy imports happen inside them."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from plaingrad.cli import bench, check, data, diagnose, reproduce, runs, train, tune, watch
from plaingrad.cli.options import guarded

app = typer.Typer(
    help="Neural networks with the backward pass in plain sight.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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


@guarded
def recipes() -> None:
    """List the built-in recipes."""
    from plaingrad import console
    from plaingrad.recipe import built_in

    console.table(["recipe", "what it trains"], built_in().items())


@guarded
def spaces() -> None:
    """List the built-in search spaces."""
    from plaingrad import console
    from plaingrad.recipe import built_in

    console.table(["space", "what it searches"], built_in("space").items())


app.command()(train.train)
app.command()(recipes)
app.command()(spaces)
app.command(name="eval")(runs.evaluate)
app.command()(runs.predict)
app.command()(check.check)
app.command()(diagnose.diagnose)
app.command()(tune.tune)
app.command()(reproduce.reproduce)
app.command()(bench.bench)
app.command()(runs.report)
app.command()(watch.watch)
app.add_typer(data.app, name="data")


def main() -> None:
    """The entry point of the command `plaingrad`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no dash gets a question mark
    app()
