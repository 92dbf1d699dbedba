"""Compiling kernels with Numba, once for each machine: the result is kept on disk.

Without Numba, or on a machine where it does not work, `available` is False and no compiled kernel is
registered; without a folder to write to, kernels are compiled anew in each process.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import os
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

available = importlib.util.find_spec("numba") is not None and not os.environ.get("PLAINGRAD_NO_NUMBA")

# Sums may be taken in another order and a product joined with a sum, but NaN and infinity stay what they are.
_RELAXED = {"reassoc", "contract", "nsz", "arcp"}


def compiled(function: Any = None, *, exact: bool = False, inline: bool = False) -> Any:
    """Compile the decorated function to machine code when it is first called; it lets go of the interpreter.

    exact: leave floating-point operations as they are written, so that the bits are those of NumPy.
    inline: for small functions that other compiled functions call.
    """
    if function is None:
        return functools.partial(compiled, exact=exact, inline=inline)
    import numba

    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": False if exact else _RELAXED,
        "error_model": "numpy",
    }
    if inline:  # becomes part of those that call it, and is kept with them
        return numba.njit(**options)(function)
    _listen()
    config: Any = import_module("numba.core.config")
    before, config.CACHE_DIR = config.CACHE_DIR, str(_folder())  # read while a function is decorated
    try:
        return numba.njit(cache=True, **options)(function)
    except (RuntimeError, OSError):  # no folder can be written to
        return numba.njit(**options)(function)
    finally:
        config.CACHE_DIR = before


@functools.cache
def _folder() -> Path:
    """Where compiled kernels are kept: $PLAINGRAD_CACHE_DIR, else the user's cache folder.

    Its name is a digest of the source of all kernels, since Numba itself would not notice that a function
    which another calls has changed, and of the versions that compiled code depends on.
    """
    base = os.environ.get("PLAINGRAD_CACHE_DIR")
    digest = hashlib.sha256(f"{version('numba')} {version('numpy')}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return (Path(base) if base else user_cache_path("plaingrad")) / "kernels" / digest.hexdigest()[:16]


@functools.cache
def _listen() -> None:
    """Have the first compilation of this process announced: it takes seconds, and silence would worry."""
    from numba.core import event

    class Announcement(event.Listener):
        def on_start(self, event: Any) -> None:
            _announce(event.data["dispatcher"].py_func.__module__)

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Announcement())


def _announce(module: str) -> None:
    if module.startswith(__package__ or "") and not _announced:
        _announced.append(module)
        logging.getLogger("plaingrad").warning(
            "plaingrad: compiling kernels for this machine; only the first run waits for it"
        )


_announced: list[str] = []
