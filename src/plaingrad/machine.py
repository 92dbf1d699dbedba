"""What this run ran on: versions, threads, memory."""

from __future__ import annotations

import functools
import math
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plaingrad.errors import RecipeError

__version__ = version("plaingrad")


def facts() -> dict[str, Any]:
    """Versions of plaingrad, Python and NumPy, the platform, and the number of processors this process may use."""
    return {
        "plaingrad": __version__,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "platform": platform.platform(),
        "processors": processors(),
    }


@functools.cache
def processors() -> int:
    """How many processors to use: $PLAINGRAD_NUM_THREADS, else as many as this process is granted.

    That is those it may run on, unless a container grants it less of their time; part of one counts as one.
    Found out once.  Raises RecipeError if the variable holds anything but a whole number above 0.
    """
    wanted = os.environ.get("PLAINGRAD_NUM_THREADS", "").strip()
    if wanted:
        if not (wanted.isascii() and wanted.isdigit() and int(wanted)):
            raise RecipeError(f"PLAINGRAD_NUM_THREADS must be a whole number, 1 or more, got {wanted!r}")
        return int(wanted)
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(here, math.ceil(min(_quotas(), default=here)))


def _quotas(root: Path = Path("/")) -> Iterator[float]:
    """The processors' worth of time that each control group of this process grants, where it sets a limit.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (the first version).
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):  # not Linux
        return
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if not controllers:
            mounts, files = ("", "unified"), ("cpu.max",)
        elif "cpu" in controllers.split(","):
            mounts, files = ("cpu", "cpu,cpuacct"), ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        else:
            continue
        # A limit holds for the groups inside, too.  In a container the mount itself may be our group.
        steps = path.strip("/").split("/")
        for mount in mounts:
            for depth in range(len(steps) + 1):
                folder = (root / "sys/fs/cgroup" / mount).joinpath(*steps[:depth])
                try:
                    quota, period = " ".join((folder / file).read_text() for file in files).split()
                    if int(period) > 0 and quota != "max" and int(quota) > 0:
                        yield int(quota) / int(period)
                except (OSError, ValueError):  # no such file, or not of this form: no limit
                    continue


_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> bool:
    """Have the peak of this process's resident memory measured from now on; False where the system cannot.

    Source: Linux, Documentation/filesystems/proc.rst (clear_refs): writing 5 makes the peak what is resident now.
    """
    try:
        _RESET.write_text("5", encoding="ascii")
    except OSError:  # not Linux, or not allowed
        return False
    return True


def resident_mb(*, peak: bool = False) -> float:
    """The resident memory of this process in megabytes: now, or its peak since `forget_peak` returned True.

    NaN where the system does not tell.
    """
    try:
        status = _STATUS.read_text(encoding="ascii")
    except OSError:
        return math.nan
    found = re.search(rf"^{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else math.nan


def peak_memory_mb() -> float | None:
    """The largest resident memory of this process so far, in megabytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024), 1)
