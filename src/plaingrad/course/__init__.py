"""The interface of the CS231n and CS682 coursework, as thin adapters over plaingrad.

A notebook whose `cs231n` (or `cs682`) package is pointed here runs unchanged:

>>> import plaingrad.course as course
>>> course.install("cs231n")
>>> from cs231n.classifiers.fc_net import *

No mathematics, training loop or update rule is written a second time here: the modules translate
names, argument orders and conventions.  What differs from the course is told in `docs/course.md`.
"""

from __future__ import annotations

import importlib
import sys

from plaingrad.course import conventions
from plaingrad.errors import PlaingradError

__all__ = ["NameTakenError", "install"]

_MODULES = (
    "classifiers",
    "classifiers.cnn",
    "classifiers.fc_net",
    "classifiers.neural_net",
    "data_utils",
    "fast_layers",
    "gradient_check",
    "im2col",
    "layer_utils",
    "layers",
    "optim",
    "solver",
    "vis_utils",
)


class NameTakenError(PlaingradError, ImportError):
    """The name asked for belongs to another package, which is imported already."""


def install(name: str = "cs231n", *, dropout_p: conventions.DropoutP = "keep") -> None:
    """Let `import cs231n`, and every module inside it, mean this package; `name` is the course's name.

    Call it before the first import of that name.  A folder called `cs231n` beside the notebook is then
    not imported, whatever it holds; data in it is still found.  Calling again does no harm.

    dropout_p: what the number called `p` or `dropout` is: the probability to "keep" a unit, as in the
    course since 2018, or to "drop" it, as before.

    Raises NameTakenError if another package of that name is already imported, ValueError for a name
    that no import statement could use.
    """
    if not name.isidentifier():
        raise ValueError(f"a package cannot be called {name!r}; the course's are cs231n and cs682")
    conventions.set_dropout_p(dropout_p)
    here = sys.modules[__name__]
    present = sys.modules.get(name, here)
    if present is not here:
        where = getattr(present, "__file__", None) or "built in"
        raise NameTakenError(
            f"{name} is already imported, from {where}: restart Python (or the notebook's kernel) and call "
            f"plaingrad.course.install({name!r}) before anything imports it"
        )
    for module in _MODULES:
        sys.modules[f"{name}.{module}"] = importlib.import_module(f"{__name__}.{module}")
    sys.modules[name] = here
