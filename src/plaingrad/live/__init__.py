"""The report of a run, served on this machine and kept up to date while the run trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plaingrad.errors import WatchError
from plaingrad.run_folder import Warn, silent


def watch(
    run: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    show: bool = False,
    tell: Callable[[str], None] = silent,
    warn: Warn = silent,
) -> None:
    """Serve the report page of a run until Ctrl-C, which ends this call and not the training.

    port: 0 takes any free one; if not given, 8765 or one of the next.  show: open it in the browser.
    `tell` hears where the page is, `warn` whether others can read it.  Raises RunError if `run` is no run
    folder, WatchError if the extra is not installed or host and port are not to be had.
    """
    try:
        from plaingrad.live.server import serve  # needs an optional extra
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("starlette", "uvicorn"):
            raise
        raise WatchError(
            f"watching a run needs {package}: install it with pip install 'plaingrad[watch]'"
        ) from None
    serve(run, host, port, show=show, tell=tell, warn=warn)


__all__ = ["watch"]
