"""The measuring process: `python -m plaingrad.bench JOB OUTCOME`, both of them JSON files.

The session starts it, with the number of threads in its environment.  It prints nothing of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from plaingrad.bench.workloads import Workload


def do(job: dict[str, Any]) -> dict[str, Any] | None:
    """What the job's "task" names, on its workload."""
    from plaingrad.bench.measurement import peak_memory, timed

    workload = Workload(**job["workload"])
    if job["task"] == "memory":
        return peak_memory(workload, job["library"], job["setting"])
    return timed(workload, job["libraries"], job["rounds"], job["steps"])


if __name__ == "__main__":
    job, outcome = map(Path, sys.argv[1:])
    outcome.write_text(json.dumps(do(json.loads(job.read_text("utf-8")))), encoding="utf-8")
