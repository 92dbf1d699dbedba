"""The report of a run: one HTML page, made from the run folder alone."""

from __future__ import annotations

from pathlib import Path


def write(run: str | Path) -> Path:
    """Write `report.html` into a run folder and return its path.

    Raises RunError if the folder is not a run, OSError if it takes no file.
    """
    from plaingrad.report.page import write_page  # draws, so it is slow to import

    return write_page(run)


__all__ = ["write"]
