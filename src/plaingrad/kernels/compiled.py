"""Compiling kernels with Numba, once for each machine: the result is kept on disk.

Without Numba, or on a machine where it does not work, `available` is False and no compiled kernel is
registered; without a folder to write to, kernels are compiled anew in each process.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import tempfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path


def _works() -> bool:
    """Whether Numba is installed, can be imported, and is not told to leave functions as they are."""
    if os.environ.get("PLAINGRAD_NO_NUMBA"):
        return False
    try:
        return not import_module("numba.core.config").DISABLE_JIT
    except Exception:  # not there, or not for this Python, NumPy or processor
        return False


available = _works()

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
    folder = _folder()
    if folder is None:
        return numba.njit(**options)(function)
    config: Any = import_module("numba.core.config")
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)  # read while a function is decorated
    try:
        made = numba.njit(cache=True, **options)(function)
    finally:
        config.CACHE_DIR = before
    _forgive(made)
    return made


def _forgive(made: Any) -> None:
    """A full disk or a damaged file costs the time of compiling, not the call that meets it."""
    kept = getattr(made, "_cache", None)
    for name in ("load_overload", "save_overload"):
        method = getattr(kept, name, None)
        if method is not None:
            setattr(kept, name, functools.partial(_tried, method))


def _tried(method: Any, *arguments: Any) -> Any:
    try:
        return method(*arguments)
    except Exception as error:
        logging.getLogger("plaingrad").info("compiled kernels cannot be kept or read: %s", error)
        return None


@functools.cache
def _folder() -> Path | None:
    """Where compiled kernels are kept: in $PLAINGRAD_CACHE_DIR, else the user's cache folder; None if it takes no file.

    Its name is a digest of the source of all kernels, since Numba itself would not notice that a function
    which another calls has changed, and of the versions that compiled code depends on.
    """
    base = os.environ.get("PLAINGRAD_CACHE_DIR")
    digest = hashlib.sha256(f"{version('numba')} {version('numpy')}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    chosen = Path(base).absolute() if base else user_cache_path("plaingrad")
    folder = chosen / "kernels" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


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
