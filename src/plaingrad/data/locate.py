"""Finding sources by name and their files on disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from plaingrad.data.files import Layout
from plaingrad.data.sources import Source
from plaingrad.errors import DataError


def default_dir() -> Path:
    """Where data is looked for and downloaded to: $PLAINGRAD_DATA_DIR, else the user's cache folder."""
    if chosen := os.environ.get("PLAINGRAD_DATA_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "plaingrad" / "data"


def find_source(name: str, sources: Mapping[str, Source]) -> Source:
    """The source of that name.  Raises DataError listing the names, and the likeliest, if there is none."""
    if name in sources:
        return sources[name]
    import difflib

    close = difflib.get_close_matches(name.lower(), sources, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise DataError(
        f"no data set is called {name!r}: {hint}there are {', '.join(sources)}; "
        "or give the path of an .npz file or of a folder of images"
    )


def locate(source: Source, root: Path) -> tuple[Layout, Path] | None:
    """The layout of `source` that lies in `root`, and its folder.

    That folder is one of the layout's names in `root`, or `root` itself.  If several have some of their
    files, the most complete one; None if there is no file of any.
    """

    def completeness(candidate: tuple[Layout, Path]) -> float:
        layout, folder = candidate
        return sum((folder / file.name).is_file() for file in layout.files) / len(layout.files)

    named = [(layout, root / folder) for layout in source.layouts for folder in layout.folders]
    candidates = [*named, *((layout, root) for layout in source.layouts)]
    best = max(candidates, key=completeness, default=None)
    return best if best is not None and completeness(best) else None
