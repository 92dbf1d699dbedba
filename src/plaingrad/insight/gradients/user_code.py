"""What a user's own code raises, in one sentence that says where."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path

from plaingrad.errors import RecipeError

RAISED = (Exception, SystemExit)


@contextlib.contextmanager
def told_in_a_sentence(path: Path, doing: str) -> Iterator[None]:
    """Inside, what the file's code raises, `sys.exit` included, becomes a RecipeError that says where.

    A TypeError from elsewhere is a sentence of the check's own about what it was given.
    """
    try:
        yield
    except RAISED as error:
        if isinstance(error, RecipeError):
            raise
        line = _line_in(path, error)
        if line is None and doing.startswith("checking"):
            if not isinstance(error, TypeError):
                raise
            raise RecipeError(f"{path}: {error}") from error
        raise RecipeError(sentence(path, doing, error)) from error


def sentence(path: Path, doing: str, error: BaseException) -> str:
    """Where the file's code raised what, on one line."""
    line = error.lineno if isinstance(error, SyntaxError) else _line_in(path, error)
    told = " ".join(str(error).split())
    return f"{path}{f', line {line}' if line else ''}: {doing} raised {type(error).__name__}{told and ': '}{told}"


def _line_in(path: Path, error: BaseException) -> int | None:
    """The last line of the file that the error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path.resolve()]
    return lines[-1] if lines else None
