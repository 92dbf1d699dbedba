"""A stopwatch: where the time of a piece of work goes, part by part."""

from __future__ import annotations

from collections import defaultdict
from time import perf_counter
from typing import Self


class Stopwatch:
    """Adds up seconds by part of the work: within its `with` block, `lap` gives the time since the lap before
    to a part, so that every moment belongs to one part and all of them together are the time of the block.

    Outside of the block `lap` counts nothing.  `seconds` holds the sums over all blocks.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._since: float | None = None

    def __enter__(self) -> Self:
        self._since = perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        self._since = None

    def lap(self, part: str) -> None:
        """The time since the lap before went to `part`."""
        if self._since is not None:
            now = perf_counter()
            self.seconds[part] += now - self._since
            self._since = now
