"""The pre-flight's forecast of time and memory beside runs: `python -m benchmarks.forecast [W1 ...] [--rounds 3]`.

In each round, and for each workload, one process makes the forecast and another one the run of `--steps` steps
(with an evaluation at each epoch and at the end, on 1,000 training and 1,000 validation images), by turns.  Both
begin with making the data; the time is that of the whole run but for imports, the memory the peak of the process.
On a machine that others use, too, steps take now this long and now that long, and no forecast can be right: the last
column tells for what share of the runs their main thread waited for a processor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from plaingrad import machine
from plaingrad.bench import facts as bench
from plaingrad.bench.workloads import WORKLOADS, images
from plaingrad.data import Dataset, Split
from plaingrad.insight.preflight.forecast import forecast
from plaingrad.insight.preflight.subject import Subject
from plaingrad.optim import SGD, Adam, Momentum
from plaingrad.solver import Solver

VALIDATION = 1_000
STEPS = {"W1": 600, "W2": 600, "W3": 1500, "W4": 600, "W5": 150}


def main() -> None:
    arguments = _arguments()
    if arguments.part:
        print(json.dumps(_PARTS[arguments.part](arguments.workloads[0], arguments.steps)))
        return
    facts = bench.machine(machine.processors(), ())
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print(f"{arguments.rounds} rounds; forecast / run, and their ratio: median (lowest to highest)\n")
    print("| workload | steps | seconds | ratio | peak MB | ratio | waiting |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for workload in arguments.workloads or STEPS:
        steps = arguments.steps or STEPS[workload]
        rounds = [
            (_in_a_process("forecast", workload, steps), _in_a_process("run", workload, steps))
            for _ in range(arguments.rounds)
        ]
        cells = [cell for what in ("seconds", "peak_mb") for cell in _cells(rounds, what)]
        cells.append(f"{statistics.median(run['waiting'] for _, run in rounds):.0%}")
        print(f"| {workload} | {steps} | {' | '.join(cells)} |", flush=True)


def _cells(rounds: list[tuple[dict[str, Any], dict[str, Any]]], what: str) -> tuple[str, str]:
    pairs = [(forecast[what], run[what]) for forecast, run in rounds]
    said, was = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratios = sorted(forecast / run for forecast, run in pairs)
    return (
        f"{said:.3g} / {was:.3g}",
        f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
    )


def _in_a_process(part: str, workload: str, steps: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.forecast", workload, "--steps", str(steps), "--part", part]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _solver(workload: str, data: Dataset, steps: int) -> Solver:
    own = WORKLOADS[workload]
    rule = {"sgd": SGD, "momentum": Momentum, "adam": Adam}[own.rule](own.lr)
    return Solver(own.build(), data, rule=rule, iterations=steps, batch_size=own.batch)


def _data() -> Dataset:
    pixels, labels = images()
    train = Split(pixels[:-VALIDATION], labels[:-VALIDATION])
    held_out = Split(pixels[-VALIDATION:], labels[-VALIDATION:])
    return Dataset("random", tuple("0123456789"), train, held_out, held_out.first(0)).normalized("mean-image")


def _forecast(workload: str, steps: int) -> dict[str, Any]:
    began = time.perf_counter()
    data = _data()
    subject = Subject(lambda: _solver(workload, data, steps), time.perf_counter() - began)
    found = forecast(subject)
    if isinstance(found, str):
        raise SystemExit(found)
    return {"seconds": found.seconds, "peak_mb": found.peak_memory_mb}


def _run(workload: str, steps: int) -> dict[str, Any]:
    began, waited = time.perf_counter(), _waited()
    _solver(workload, _data(), steps).train()
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "peak_mb": machine.peak_memory_mb(),
        "waiting": (_waited() - waited) / seconds,
    }


def _waited() -> float:
    """For how many seconds the main thread has been ready to run without a processor; Linux alone tells."""
    return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


_PARTS = {"forecast": _forecast, "run": _run}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"some of {', '.join(STEPS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of each run, instead of those it has by default")
    parser.add_argument("--part", choices=_PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
