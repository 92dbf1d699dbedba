"""Ctrl-C at a moment when everything is consistent: between two steps, not within one."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any, Self

from plaingrad.errors import Interrupted

# A key that bounces, or a shell that passes a signal on to the whole process group, sends it twice.
_BOUNCE_SECONDS = 1.0


class Interruption:
    """Within its `with` block the first SIGINT or SIGTERM is only noted; `check` raises Interrupted for it.

    A signal that comes more than a second after the first means it: KeyboardInterrupt, at once.  Blocks
    may be nested; the outermost one restores the handlers that were there before.  Signals reach the
    main thread alone: in another thread the block does nothing.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._before: dict[int, Any] = {}
        self._noted: tuple[int, float] | None = None

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth == 1:
            self._noted = None
        if self._depth == 1 and threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            self._before = {}

    def check(self, where: str) -> None:
        """Raise Interrupted if a signal came; `where` says how far the work has got."""
        if self._noted is not None:
            raise Interrupted(f"interrupted {where}", self._noted[0])

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._noted is None:
            self._noted = number, now
        elif now - self._noted[1] > _BOUNCE_SECONDS:
            raise KeyboardInterrupt
