"""What was measured on."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plaingrad.bench.libraries import LIBRARIES, versions
from plaingrad.machine import __version__, processors


def machine(threads: int, libraries: Iterable[str] = tuple(LIBRARIES)) -> dict[str, Any]:
    """Processor, threads, system, versions of those of the libraries that are installed, date."""
    here = [key for key in libraries if not LIBRARIES[key].missing]
    return {
        "processor": _processor(),
        "processors": processors(),
        "threads": threads,
        "system": platform.platform(),
        "python": platform.python_version(),
        "plaingrad": __version__,
        "numpy": version("numpy"),
        **versions(here),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()
