"""Reports: one HTML page of a run, or of several side by side, made from run folders alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def write(run: str | Path) -> Path:
    """Write `report.html` into a run folder and return its path.

    Raises RunError if the folder is not a run, OSError if it takes no file.
    """
    from plaingrad.report.page import write_page  # draws, so it is slow to import

    return write_page(run)


def compare(runs: Iterable[str | Path], out: str | Path | None = None) -> Path:
    """Write one page of several runs, to `out` or as comparison.html beside the first, and return its path.

    A study's folder stands for the runs of its trials that have ended.  Raises RunError for a folder that is
    no run, and if there is nothing to compare; OSError if the page cannot be written.
    """
    from plaingrad.report.comparison_page import write_comparison  # draws, so it is slow to import

    return write_comparison(runs, out)


__all__ = ["compare", "write"]
