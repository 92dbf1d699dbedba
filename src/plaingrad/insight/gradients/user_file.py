"""The gradient check of something in a user's own file: `mynet.py:MyNet`, `mylayers.py:affine`."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from plaingrad.errors import RecipeError, suggestion
from plaingrad.insight.gradients.check import check_gradients
from plaingrad.insight.gradients.report import GradientReport
from plaingrad.insight.gradients.subjects import check_parameters
from plaingrad.insight.gradients.user_code import RAISED, sentence, told_in_a_sentence
from plaingrad.insight.gradients.user_data import SIZES, data_for, inputs_for
from plaingrad.network import Layer

Shape = tuple[int, ...]

# What a constructor's parameters are usually called.
_SHAPES = ("input_shape", "in_shape", "shape")
_CLASSES = (
    "num_classes",
    "classes",
    "n_classes",
    "output_size",
    "output_dim",
    "n_outputs",
    "n_out",
    "d_out",
    "C",
)


def check_file(
    target: str,
    *,
    input_shape: Shape | None = None,
    classes: int | None = None,
    batch: int = 6,
    seed: int = 0,
) -> GradientReport:
    """Check what `target`, "FILE.py:NAME", names: a model's class, a function that makes one, a model, a pair.

    A class or function is called with nothing, or with what its signature needs and is known here:
    `input_shape` or its size, `classes`, `seed`, a generator, the dtype float64.  Data are drawn: `batch`
    samples of `input_shape`, which is guessed from the model's own attributes or the shapes of its first
    parameters where None, and labels or, for a loss of another kind, targets like its scores.  A pair
    NAME_forward, NAME_backward is checked on NAME_inputs, a tuple or a function that makes one, or on
    inputs guessed from the names of its parameters.

    Raises RecipeError, one sentence, if there is no such file or name, if the file's code raises, or if
    something is needed that cannot be guessed.  The file is run, as `import` would.
    """
    path, name = _parts(target)
    if classes is not None and classes < 1:
        raise RecipeError(f"there must be at least 1 class, got {classes}")
    with told_in_a_sentence(path, "importing it"):
        module = _loaded(path)
    rng = np.random.default_rng(seed)
    given = _pair(module, path, name, rng)
    if given is None:
        given = _model(module, path, name, input_shape, classes, batch, seed, rng)
    with told_in_a_sentence(path, f"checking {name}"):
        return check_gradients(*given, seed=seed)


def _pair(module: ModuleType, path: Path, name: str, rng: np.random.Generator) -> tuple[Any, ...] | None:
    """The functions NAME_forward and NAME_backward and their inputs; None if NAME is something else."""
    found = vars(module)
    stem = name.removesuffix("_forward").removesuffix("_backward")
    pair = [f"{stem}_{which}" for which in ("forward", "backward")]
    there = [callable(found.get(one)) for one in pair]
    if (
        inspect.isclass(found.get(name))
        or not any(there)
        or (name == stem and name in found and not all(there))
    ):
        return None
    if not all(there):
        has, lacks = pair if there[0] else pair[::-1]
        raise RecipeError(f"{path} has {has} but no {lacks}: a pair needs both")
    forward, backward = (found[one] for one in pair)
    return forward, backward, inputs_for(module, path, stem, forward, backward, rng)


def _model(
    module: ModuleType,
    path: Path,
    name: str,
    input_shape: Shape | None,
    classes: int | None,
    batch: int,
    seed: int,
    rng: np.random.Generator,
) -> tuple[Any, ...]:
    """A model with data, or a layer with its input."""
    if name not in vars(module):
        known = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise RecipeError(f"{path} has no {name!r}; {suggestion(name, known)}")
    subject = getattr(module, name)
    if not _is_model(subject) and callable(subject) and not isinstance(subject, Layer):
        subject = _made(subject, path, name, input_shape, classes, seed)
    if isinstance(subject, Layer):
        if input_shape is None:
            raise RecipeError(f"{name} is a layer: give the shape of one sample, such as --input-shape 3,8,8")
        return subject, rng.standard_normal((batch, *input_shape))
    if not _is_model(subject):
        raise RecipeError(
            f"{name} in {path} is {type(subject).__name__}, without params and loss: name a class with both, a "
            f"function that makes one, or a pair {name}_forward and {name}_backward"
        )
    with told_in_a_sentence(path, f"checking {name}"):
        check_parameters(subject)
    return subject, *data_for(subject, path, name, input_shape, classes, batch, rng)


def _parts(target: str) -> tuple[Path, str]:
    file, colon, name = target.rpartition(":")
    if not colon or not name.isidentifier():
        raise RecipeError(f"say what to check as FILE.py:NAME, such as mynet.py:MyNet, got {target!r}")
    path = Path(file)
    if not path.is_file():
        raise RecipeError(f"there is no file {file}")
    return path, name


def _loaded(path: Path) -> ModuleType:
    """The file as a module.  Its folder is where it imports from first, as when it is run."""
    name = f"plaingrad_checked_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise RecipeError(f"{path} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where its classes are looked for when their source is wanted
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _is_model(subject: Any) -> bool:
    return not inspect.isclass(subject) and hasattr(subject, "params") and hasattr(subject, "loss")


def _made(
    factory: Callable[..., Any],
    path: Path,
    name: str,
    input_shape: Shape | None,
    classes: int | None,
    seed: int,
) -> Any:
    """What a class or function makes, called with what it needs and is known here."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        parameters = []
    given: dict[str, Any] = {}
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        needed = p.default is p.empty
        if p.name == "dtype":
            given[p.name] = np.float64
        elif p.name in _SHAPES and (needed or input_shape):
            given[p.name] = input_shape or (3, 8, 8)
        elif p.name in SIZES and (needed or input_shape):
            given[p.name] = int(np.prod(input_shape or (10,)))
        elif p.name in _CLASSES and (needed or classes):
            given[p.name] = classes or 3
        elif p.name in ("seed", "random_state"):
            given[p.name] = seed
        elif p.name in ("rng", "generator") and needed:
            given[p.name] = np.random.default_rng(seed)
        elif needed and p.name in ("hidden", "hidden_dim", "hidden_size", "n_hidden", "H"):
            given[p.name] = 7
        elif needed and p.name in ("hidden_dims", "hidden_sizes"):
            given[p.name] = [7, 6]
        elif needed:
            raise RecipeError(f"{name} needs {p.name!r}, which is not known here: give it a default value")
    told = ", ".join(f"{key}={value!r}" for key, value in given.items() if key != "dtype")
    try:
        return factory(**given)
    except RAISED as error:
        raise RecipeError(sentence(path, f"{name}({told})", error)) from error
