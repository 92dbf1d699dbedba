"""The libraries that train beside plaingrad, and which of them are here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from plaingrad.errors import RecipeError, suggestion

if TYPE_CHECKING:
    from plaingrad.bench.contenders import Contender


@dataclass(frozen=True)
class Library:
    """What it is called, what it takes to import it, and where its contender is: `module:class`."""

    name: str
    needs: tuple[str, ...]
    where: str

    @property
    def missing(self) -> str | None:
        """What is not installed, or None."""
        return next((name for name in self.needs if find_spec(name) is None), None)

    @property
    def contender(self) -> type[Contender]:
        """Its contender; imports the library."""
        module, _, name = self.where.partition(":")
        return getattr(import_module(f"plaingrad.bench.{module}"), name)


LIBRARIES = {
    "plaingrad": Library("plaingrad", (), "contenders:Plaingrad"),
    "pytorch": Library("PyTorch", ("torch",), "contender_torch:PyTorch"),
    "scikit-learn": Library("scikit-learn", ("sklearn",), "contender_sklearn:ScikitLearn"),
    "jax": Library("JAX", ("jax",), "contender_jax:JAX"),
    "keras": Library("Keras", ("keras", "jax"), "contender_keras:Keras"),
    "course-numpy": Library("course NumPy", (), "contenders:CourseNumPy"),
}
_DISTRIBUTIONS = {"torch": "torch", "sklearn": "scikit-learn", "jax": "jax", "keras": "keras"}


def present(against: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """The keys of the libraries that train, plaingrad first, and for each absent one what it lacks.

    against: keys, all of them for none.  Raises RecipeError for one that does not exist.
    """
    against = list(against)
    others = [key for key in LIBRARIES if key != "plaingrad"]
    for key in against:
        if key not in others:
            raise RecipeError(f"--against: there is no library {key!r}; {suggestion(key, others)}")
    wanted = ["plaingrad", *(key for key in others if key in against or not against)]
    absent = {
        LIBRARIES[key].name: f"{lacking} is not installed"
        for key in wanted
        if (lacking := LIBRARIES[key].missing)
    }
    return [key for key in wanted if LIBRARIES[key].name not in absent], absent


def versions(keys: Iterable[str]) -> dict[str, str]:
    """The versions of what these libraries need, by the names under which they are installed."""
    modules = dict.fromkeys(module for key in keys for module in LIBRARIES[key].needs)
    return {_DISTRIBUTIONS[module]: version(_DISTRIBUTIONS[module]) for module in modules}
