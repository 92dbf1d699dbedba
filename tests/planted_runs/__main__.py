"""Train the runs of the shelf, let the doctor judge them, and print how often it was right.

    python -m tests.planted_runs                          the published seeds, both data sets
    python -m tests.planted_runs --seeds 0:2              other seeds, such as those the rules were made with
    python -m tests.planted_runs --only overfitting       one condition, or "healthy"
    python -m tests.planted_runs --dataset digits         one data set
    python -m tests.planted_runs --evidence DIR           keep what was gathered, as JSON
    python -m tests.planted_runs --from DIR               score what was gathered before, in seconds
    python -m tests.planted_runs --twins                  accuracies of planted runs beside those of their twins
    python -m tests.planted_runs --write docs/conditions/score.md
    python -m tests.planted_runs --pictures docs/images/conditions

CIFAR-10 is used where PLAINGRAD_DATA_DIR names the folder that holds it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# One thread per process: runs are small, and several are trained at once.
for _variable in ("OPENBLAS_NUM_THREADS", "PLAINGRAD_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

PUBLISHED = (10, 13)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = _options()
    if options.pictures:
        from .pictures import draw_all

        draw_all(Path(options.pictures))
        return 0

    from .shelf import SHELF, run_called
    from .working import compared, gathered, in_processes

    runs, skipped = chosen(SHELF, options)
    for line in skipped:
        print(line, file=sys.stderr)
    if not runs:
        print("there is no run left to train: see --only and --dataset", file=sys.stderr)
        return 2
    jobs = [(run.id, seed) for run in runs for seed in range(*options.seeds)]
    if options.twins:
        for line in in_processes(compared, jobs):
            print(line, flush=True)
        return 0

    from .records import load
    from .scoring import Score, judged

    if options.records:
        records = [r for r in load(Path(options.records)) if (r.id, r.seed) in set(jobs)]
        if absent := len(jobs) - len(records):
            skipped.append(
                f"not in the folder of evidence, so not in the score: {absent} of {len(jobs)} trainings"
            )
            print(skipped[-1], file=sys.stderr)
    else:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(options.evidence or temporary)
            count = sum(1 for _ in in_processes(gathered, [(job, folder) for job in jobs]))
            records = [r for r in load(folder) if (r.id, r.seed) in set(jobs)]
        print(f"{count} runs trained in {(time.monotonic() - started) / 60:.1f} min", file=sys.stderr)
    score = Score([judged(run_called(record.id), record) for record in records])
    print("\n".join([*score.table, "", *score.summary]))
    for title, lines in (
        ("Missed", score.misses),
        ("Also wrong", score.strays),
        ("False alarms", score.alarms),
    ):
        print("\n".join(["", f"{title}: {len(lines)}", *(f"  {line}" for line in lines)]))
    if options.write:
        from .published import write

        write(Path(options.write), score, records, skipped)
    return 0


def chosen(shelf: Iterable[Any], options: argparse.Namespace) -> tuple[list[Any], list[str]]:
    """The runs that the options ask for, and in words what is skipped for want of data."""
    from .sets import CIFAR, cifar_folder

    runs = [run for run in shelf if options.only in (None, run.condition or "healthy")]
    runs = [run for run in runs if options.dataset in (None, run.dataset)]
    absent = [run for run in runs if run.dataset == CIFAR] if not (cifar_folder() or options.records) else []
    said = [f"skipped: {len(absent)} runs on CIFAR-10, as PLAINGRAD_DATA_DIR is not set"] if absent else []
    return [run for run in runs if run not in absent], said


def _span(text: str) -> tuple[int, int]:
    first, _, end = text.partition(":")
    return int(first), int(end) if end else int(first) + 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.planted_runs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=_span, metavar="A:B", help="seeds A to B - 1 (default 10:13)")
    parser.add_argument("--only", metavar="CONDITION", help='runs of one condition, or "healthy"')
    parser.add_argument("--dataset", choices=["digits", "cifar10"])
    parser.add_argument("--evidence", metavar="DIR", help="keep the evidence gathered in this folder")
    parser.add_argument("--from", dest="records", metavar="DIR", help="score the evidence in this folder")
    parser.add_argument("--twins", action="store_true", help="compare planted runs with their healthy twins")
    parser.add_argument("--write", metavar="FILE", help="write the published table")
    parser.add_argument("--pictures", metavar="DIR", help="draw a picture of each condition")
    options = parser.parse_args()
    options.seeds = options.seeds or PUBLISHED
    return options


if __name__ == "__main__":
    sys.exit(main())
