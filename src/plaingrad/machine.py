"""What this run ran on: versions, threads, memory."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from typing import Any

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


def processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory_mb() -> float | None:
    """The largest resident memory of this process so far, in megabytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024), 1)
