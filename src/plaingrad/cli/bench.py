"""`plaingrad bench`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from plaingrad.cli.options import Json, guarded


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
