"""What a search costs beside its trials, and what a second job gains: `python -m benchmarks.search`.

Each round trains the settings of a built-in grid four times, every time in a new process: in nested loops, which
do nothing else; by `pg.tune` with one job, which has all processors; with one job on one processor; and with two
jobs.  A B C D A B C D ..., so that a busy neighbour meets all.
Given are medians over the rounds of

    loops       seconds of the nested loops, with all processors; reading the data is not counted
    trials      seconds that the trials of one job took in their worker, the reading of the data included
    search      seconds from the search's first moment to its last, its worker's start included
    call        seconds of the whole call of `pg.tune`: imports, storage, search, table, page
    overhead    (search - trials) / trials, of one job
    two jobs over one                   how many times as fast two jobs searched as one with all processors
    two jobs over one on one processor  the same of one that has no more than each of the two

CIFAR-10 must lie in PLAINGRAD_DATA_DIR, or where `plaingrad data fetch cifar10` puts it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from plaingrad import machine

RESULTS = Path(__file__).parent / "results"


def loops(space: str) -> dict[str, float]:
    """The settings one after the other."""
    from plaingrad.recipe import changed, read_recipe
    from plaingrad.search import read_space
    from plaingrad.training import solver_of

    read = read_space(space)
    recipe = read.applied(read_recipe(read.recipe or ""))
    data = recipe.data.build()
    started = time.perf_counter()
    for setting in read.grid():
        solver_of(changed(recipe, setting), data).train()
    return {"loops": time.perf_counter() - started}


def search(space: str, jobs: int) -> dict[str, float]:
    """The same by `pg.tune`."""
    started = time.perf_counter()
    import plaingrad as pg

    with tempfile.TemporaryDirectory() as scratch:
        study = pg.tune(space=space, jobs=jobs, final_seeds=0, out=Path(scratch) / space)
    return {
        "trials": sum(trial.seconds for trial in study.trials),
        "search": study.seconds,
        "call": time.perf_counter() - started,
    }


CONTENDERS = {
    "loops": "loops(space)",
    "one job": "search(space, 1)",
    "one job on one processor": "search(space, 1)",
    "two jobs": "search(space, 2)",
}


def measured(name: str, space: str) -> dict[str, float]:
    """One contender in a process of its own."""
    code = f"import json; from benchmarks.search import *; space = {space!r}; print(json.dumps({CONTENDERS[name]}))"
    one = {"PLAINGRAD_NUM_THREADS": "1"} if name.endswith("one processor") else {}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | one
    )
    return json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("space", nargs="?", default="s1-c", help="a built-in grid that names its recipe")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(1, arguments.rounds + 1):
        rounds.append({name: measured(name, arguments.space) for name in CONTENDERS})
        print(f"round {number}: {rounds[-1]}", flush=True)

    def median(of: Any) -> float:
        return round(statistics.median(of(own) for own in rounds), 3)

    found = {
        "loops": median(lambda own: own["loops"]["loops"]),
        "trials": median(lambda own: own["one job"]["trials"]),
        "search": median(lambda own: own["one job"]["search"]),
        "call": median(lambda own: own["one job"]["call"]),
        "search, two jobs": median(lambda own: own["two jobs"]["search"]),
        "call, two jobs": median(lambda own: own["two jobs"]["call"]),
        "overhead": median(lambda own: own["one job"]["search"] / own["one job"]["trials"] - 1),
        "two jobs over one": median(lambda own: own["one job"]["search"] / own["two jobs"]["search"]),
        "two jobs over one on one processor": median(
            lambda own: own["one job on one processor"]["search"] / own["two jobs"]["search"]
        ),
    }
    told = {"space": arguments.space, "rounds": len(rounds), **machine.facts(), **found}
    for name, value in told.items():
        print(f"{name:35s} {value}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "search.json").write_text(json.dumps(told | {"measured": rounds}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
