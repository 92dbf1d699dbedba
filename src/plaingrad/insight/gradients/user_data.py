"""Data on which a user's own model or pair can be run, guessed from what it says and what it accepts."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from plaingrad.errors import RecipeError
from plaingrad.insight.gradients.user_code import RAISED, sentence, told_in_a_sentence

Shape = tuple[int, ...]
Array = np.ndarray

# What the number of features is usually called.
SIZES = ("input_dim", "input_size", "in_features", "in_dim", "n_inputs", "n_features", "n_in", "d_in", "D")


def data_for(
    model: Any,
    path: Path,
    name: str,
    input_shape: Shape | None,
    classes: int | None,
    batch: int,
    rng: np.random.Generator,
) -> tuple[Any, Any]:
    """Samples and labels, or targets, on which the loss can be computed.

    Raises RecipeError, with what the loss raised on the likeliest samples, if there are none.
    """
    first: BaseException | None = None
    tried: list[Shape] = []
    for X in _samples(model, input_shape, batch, rng):
        tried.append(X.shape[1:])
        scores, error = _called(model, X)
        shape_fits = error is None  # without y it answers: if it fails with y, that is not the shape's fault
        for y in _answers(model, scores, classes, batch, rng):
            _, error = _called(model, X, y)
            if error is None:
                return X, y
            first = first or error
        if first is not None and shape_fits:
            told = sentence(path, f"the loss of {name}", first)
            raise RecipeError(f"{told} (on samples of shape {X.shape[1:]})") from first
    why = f": {sentence(path, 'its loss', first)}" if first is not None else ""
    if input_shape:
        raise RecipeError(f"{name} does not take samples of shape {tuple(input_shape)}{why}") from first
    among = f" (tried {', '.join(map(str, dict.fromkeys(tried)))})" if tried else ""
    advice = "give the shape of one sample, such as --input-shape 3,32,32"
    raise RecipeError(f"the input shape of {name} cannot be guessed{among}{why}; {advice}") from first


def _called(model: Any, *args: Array) -> tuple[Any, BaseException | None]:
    """What loss returns on copies of the arguments, or None and what it raises."""
    try:
        with np.errstate(all="ignore"):
            return model.loss(*(a.copy() for a in args)), None
    except RAISED as error:
        return None, error


def _samples(model: Any, input_shape: Shape | None, batch: int, rng: np.random.Generator) -> Iterator[Array]:
    """Samples of floats; then whole numbers, for a model whose first matrix holds a row for each word."""
    shapes = [tuple(input_shape)] if input_shape else list(_shapes(model))
    for shape in shapes:
        yield rng.standard_normal((batch, *shape))
    words = next((np.shape(p)[0] for p in model.params.values() if np.ndim(p) == 2), 0)
    if words:
        for shape in shapes if input_shape else [(5,), ()]:
            yield rng.integers(0, words, (batch, *shape))


def _shapes(model: Any) -> Iterator[Shape]:
    """What one sample may look like: by the model's own word, then by the shapes of its first parameters."""
    own = getattr(model, "input_shape", None)
    if own is not None:
        yield (int(own),) if isinstance(own, int | np.integer) else tuple(own)
    for attribute in SIZES:
        size = getattr(model, attribute, None)
        if isinstance(size, int | np.integer):
            yield (int(size),)
        elif isinstance(size, tuple | list):
            yield tuple(size)
    shapes = [np.shape(p) for p in model.params.values()]
    matrices = [s for s in shapes if len(s) >= 2] or [(s[0], s[0]) for s in shapes if s]
    for shape in matrices[:2]:
        if len(shape) == 2:
            yield (shape[0],)
            yield (shape[1],)
        elif len(shape) == 4:
            for side in (8, 16, 28, 32, 12, 6, 10, 14, 20, 24):
                yield (shape[1], side, side)


def _answers(
    model: Any, scores: Any, classes: int | None, batch: int, rng: np.random.Generator
) -> Iterator[Array]:
    """Labels for as many classes as there are scores, then targets like the scores.

    scores: what the model says without labels, None if it says nothing; then the last parameter tells the
    number of classes.
    """
    try:
        scores = None if scores is None else np.asarray(scores, np.float64)
    except (TypeError, ValueError):  # something else, such as the loss and its gradients
        scores = None
    if classes is None and scores is not None and scores.ndim == 2 and scores.shape[1] > 1:
        classes = scores.shape[1]
    if classes is None:
        sizes = [np.shape(p)[-1] for p in model.params.values() if np.ndim(p)]
        classes = max(2, sizes[-1]) if sizes else 2
    yield np.arange(batch) % classes
    if scores is not None and scores.ndim:
        yield rng.standard_normal(scores.shape)
    yield rng.standard_normal((batch, classes))


def inputs_for(
    module: ModuleType,
    path: Path,
    stem: str,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    rng: np.random.Generator,
) -> tuple[Any, ...]:
    """The file's own inputs for a pair, or inputs with which both functions run.

    Raises RecipeError, with what was raised on the inputs that got furthest, if there are none.
    """
    own = getattr(module, f"{stem}_inputs", None)
    if own is not None:
        with told_in_a_sentence(path, f"{stem}_inputs"):
            own = own() if callable(own) else own
        return tuple(own) if isinstance(own, tuple | list) else (own,)
    names = [
        p.name
        for p in inspect.signature(forward).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    raised: dict[str, BaseException] = {}
    for kinds in _guesses(names):
        inputs = tuple(_drawn(shape, rng) for shape in kinds)
        running = f"{stem}_forward"
        try:
            with np.errstate(all="ignore"):
                out, cache = forward(*(np.array(x) for x in inputs))
                running = f"{stem}_backward"
                backward(rng.standard_normal(np.shape(out)), cache)
        except RAISED as error:
            raised.setdefault(running, error)
            continue
        return inputs
    running, error = max(raised.items(), key=lambda item: item[0] == f"{stem}_backward")
    raise RecipeError(
        f"inputs of {stem}_forward({', '.join(names)}) cannot be guessed ({sentence(path, running, error)}): put "
        f"{stem}_inputs beside it, a tuple of arrays or a function that returns one"
    ) from error


def _drawn(shape: Shape | str, rng: np.random.Generator) -> Array:
    return rng.integers(0, 5, 4) if shape == "labels" else rng.standard_normal(shape)  # type: ignore[arg-type]


def _guesses(names: list[str]) -> Iterator[tuple[Any, ...]]:
    """Shapes by name: of rows of features, then of images."""
    for rows in (True, False):
        wide, deep = ((4, 5), (5, 3)) if rows else ((2, 3, 6, 6), (4, 3, 3, 3))
        units, channels = ((3,), (5,)) if rows else ((4,), (3,))
        options = []
        for position, name in enumerate(map(str.lower, names)):
            if name in ("y", "labels", "label", "classes"):
                options.append(["labels", wide])
            elif name.startswith(("gamma", "beta", "scale", "shift")):
                options.append([channels, (1, *channels)])
            elif name in ("w", "weight", "weights", "kernel", "filters"):
                options.append([deep, deep[::-1]])
            elif name in ("b", "bias"):
                options.append([units, channels])
            else:
                options.append([wide] if position == 0 else [wide, deep, units, channels])
        yield from itertools.islice(itertools.product(*options), 200)
