"""What watching costs a training run: `python -m benchmarks.watch`.

Each round trains a recipe twice from the start, without and with the doctor as `plaingrad train` has it (its
looks, its rules at evaluations, and the lines of the history), A B A B ..., one after the other in one process.
A round before the first is not counted: it compiles kernels and reads data.  Given are the medians over rounds
of both times, and of the ratio within a round, with its smallest and largest.

CIFAR-10 must lie in PLAINGRAD_DATA_DIR, or where `plaingrad data fetch cifar10` puts it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from plaingrad import machine
from plaingrad.callbacks import Callback
from plaingrad.data import Dataset
from plaingrad.insight.doctor import Doctor
from plaingrad.insight.doctor.notes import Note, to_line
from plaingrad.recipe import read_recipe
from plaingrad.settings import Recipe
from plaingrad.training import solver_of

RESULTS = Path(__file__).parent / "results"

# By name: the recipe, how many steps of it (None: all), and overrides.
RUNS: dict[str, tuple[str, int | None, list[str]]] = {
    "digits": ("digits", None, []),
    "two-layer": ("two-layer", 2000, []),
    "lenet, batches of 4": ("lenet", 6000, []),
    "cifar10-small": ("cifar10-small", 200, []),
}


def doctor() -> Doctor:
    """As `plaingrad train` has it, with lines that go nowhere."""

    def write(note: Note) -> None:
        kind, values = to_line(note)
        json.dumps({"type": kind, **values})

    return Doctor(lambda sentence: None, write=write)


def trained(recipe: Recipe, data: Dataset, callbacks: list[Callback]) -> float:
    """Seconds that training takes, evaluations included."""
    solver = solver_of(recipe, data, callbacks)
    started = time.perf_counter()
    solver.train()
    return time.perf_counter() - started


def measure(name: str, rounds: int) -> dict[str, Any]:
    """The row of one run."""
    of, steps, overrides = RUNS[name]
    recipe = read_recipe(of, overrides + ([] if steps is None else [f"training.iterations={steps}"]))
    data = recipe.data.build()
    without, with_, looks, own = [], [], 0, []
    for counted in range(-1, rounds):
        alone = trained(recipe, data, [])
        watch = doctor()
        together = trained(recipe, data, [watch])
        if counted >= 0:
            without.append(alone)
            with_.append(together)
            own.append(watch.seconds / alone)
            looks = len(watch.evidence_so_far().looks)
    ratios = sorted(b / a for a, b in zip(without, with_, strict=True))
    return {
        "run": name,
        "steps": steps or solver_of(recipe, data).total_steps,
        "rounds": rounds,
        "without": statistics.median(without),
        "with": statistics.median(with_),
        "ratio": statistics.median(ratios),
        "lowest": ratios[0],
        "highest": ratios[-1],
        "own": statistics.median(own),
        "looks": looks,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", default=list(RUNS), metavar="RUN", help=", ".join(RUNS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS / "watch.json")
    options = parser.parse_args()
    print(f"{'run':<20}  steps   without      with   ratio    lowest, highest     own looks")
    rows = []
    for name in options.runs:
        row = measure(name, options.rounds)
        rows.append(row)
        print(
            f"{row['run']:<20} {row['steps']:>6,} {row['without']:>7.2f} s {row['with']:>7.2f} s {row['ratio']:>7.3f} "
            f"{row['lowest']:>8.3f}, {row['highest']:>7.3f}  {row['own']:>6.1%} {row['looks']:>5}",
            flush=True,
        )
    facts = {**machine.facts(), "processors": machine.processors()}
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps({"machine": facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
