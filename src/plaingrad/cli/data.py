"""`plaingrad data`: the data sets."""

from __future__ import annotations

import sys
from typing import Any

import typer

from plaingrad.cli.options import DataDir, Json, guarded

app = typer.Typer(help="Data sets: list, fetch, verify.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
@guarded
def data_list() -> None:
    """List the data sets."""
    from plaingrad import console
    from plaingrad.data import SOURCES

    rows = [(name, source.summary) for name, source in SOURCES.items()]
    console.table(["data set", "what it is"], rows)


@app.command("fetch")
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


@app.command("verify")
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
