"""Time plaingrad against the others: interleaved in one process, medians and ratios.

Each round runs every contender for the same number of steps, one after the other, so that a machine
that slows down slows everybody down; a ratio is taken round by round, and its median is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plaingrad.machine import processors

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the chosen workloads, print a table, and write a JSON file with every round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", help="W1 ... W6; all if none is named")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--steps", type=int, help="training steps in a round; each workload has its own number"
    )
    parser.add_argument("--threads", type=int, default=processors(), help="for every library")
    parser.add_argument("--out", type=Path, default=RESULTS / "training.json")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)  # before NumPy and PyTorch are imported

    from benchmarks.workloads import WORKLOADS

    unknown = set(options.workloads) - set(WORKLOADS)
    if unknown:
        parser.error(f"there is no workload {sorted(unknown)[0]}; there are {', '.join(WORKLOADS)}")
    report: dict[str, Any] = {"machine": machine(options.threads), "workloads": {}}
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    for id in options.workloads or WORKLOADS:
        report["workloads"][id] = measure(WORKLOADS[id], options.rounds, options.steps or WORKLOADS[id].steps)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\nevery round: {options.out}")


def measure(workload: Any, rounds: int, steps: int) -> dict[str, Any]:
    """Milliseconds a step of each contender, and how many times as long as plaingrad's."""
    from benchmarks.contenders import contenders

    everybody = contenders(workload)
    for contender in everybody:
        contender.run(steps)  # warms up, compiles
    times: dict[str, list[float]] = {contender.name: [] for contender in everybody}
    for _ in range(rounds):
        for contender in everybody:
            started = time.perf_counter()
            contender.run(steps)
            times[contender.name].append((time.perf_counter() - started) / steps * 1e3)
    ours = times["plaingrad"]
    medians = {name: statistics.median(own) for name, own in times.items()}
    ratios = {
        name: statistics.median(other / own for other, own in zip(theirs, ours, strict=True))
        for name, theirs in times.items()
    }
    best = min((name for name in times if name.startswith("PyTorch")), key=lambda name: medians[name])
    print(f"\n{workload.id}: {workload.title}; n = {rounds} rounds of {steps} steps")
    print(f"{'':34}{'ms a step':>10}{'min–max':>15}{'÷ plaingrad':>13}")
    for name, own in times.items():
        mark = "  PyTorch's best" if name == best else ""
        spread = f"{min(own):.2f}–{max(own):.2f}"
        print(f"{name:34}{medians[name]:>10.2f}{spread:>15}{ratios[name]:>12.2f}×{mark}")
    return {"title": workload.title, "rounds": rounds, "steps": steps, "best_of_pytorch": best,
            "median_ms": medians, "ratio_to_plaingrad": ratios, "ms": times}  # fmt: skip


def machine(threads: int) -> dict[str, Any]:
    """What was measured on."""
    import platform

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    libraries = ("plaingrad", "numpy", "torch", "scikit-learn")
    return {
        "processor": model,
        "threads": threads,
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


if __name__ == "__main__":
    main()
