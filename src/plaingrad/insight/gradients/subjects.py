"""What can be checked: a model, an op pair or a layer, each brought into the one form the check works on."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from plaingrad.insight.gradients.boundary import translated
from plaingrad.network import Layer, Network, Pass
from plaingrad.network.layer import Combinator

Array = np.ndarray


class Misfit(Exception):
    """What came back does not have the form of gradients; the message is a sentence for the report."""


@dataclass(frozen=True)
class Subject:
    """Arrays, an output that depends on them, and the gradients that somebody claims it has.

    arrays: what to differentiate by, float64; `output()` is the value at what they hold at the moment.
    claimed(dout): that output once more, and the gradients of Σ out · dout by name.  others: arrays
    that are handed over too, and must not be changed either.  source: the function whose lines make the
    gradients; owner: the object or functions that may hold settings such as `reg` or a dropout rate.
    random_upstream: whether `claimed` heeds dout, as all but a whole model does.  all_needed: whether
    each array must have a gradient.

    For experiments: part(index) is the same subject on some of its samples, None where they cannot be
    told apart; batch is their number, labels their classes.  again(dout) gives the gradients of two
    backward passes after one forward pass.  other_batch() is the subject on other data, silent() on
    zeros.  inside: of layers, what is in there, (layers, x, params, state, seed).
    """

    kind: Literal["pair", "layer", "model"]
    arrays: dict[str, Array]
    output: Callable[[], Any]
    claimed: Callable[[Array], tuple[Any, Mapping[str, Any]]]
    others: dict[str, Array]
    source: Any
    owner: Any
    random_upstream: bool = True
    all_needed: bool = True
    batch: int | None = None
    labels: Array | None = None
    part: Callable[[Array], Subject | None] = field(default=lambda index: None)
    again: Callable[[Array], tuple[dict[str, Any], dict[str, Any]]] | None = None
    other_batch: Callable[[], Subject | None] = field(default=lambda: None)
    silent: Callable[[], Subject | None] = field(default=lambda: None)
    inside: tuple[Any, ...] | None = None

    @property
    def deep(self) -> bool:
        """Whether several functions follow each other inside, and not just one."""
        return self.kind == "model" or isinstance(self.owner, Combinator)


@contextlib.contextmanager
def subject_of(subject: Any, given: tuple[Any, ...], seed: int) -> Iterator[Subject]:
    """The subject of `check_gradients(subject, *given)`.  Afterwards a model's own arrays are as before."""
    if isinstance(subject, Layer) and len(given) == 1:
        yield _of_layer(subject, *given, seed=seed)
    elif hasattr(subject, "params") and hasattr(subject, "loss") and len(given) == 2:
        astype = getattr(subject, "astype", None)
        model = astype(np.float64) if astype else subject
        with _own_arrays_restored(model):
            yield of_model(model, *given)
    elif callable(subject) and len(given) == 2 and callable(given[0]) and isinstance(given[1], tuple):
        yield of_pair(*translated(subject, *given))
    else:
        raise TypeError(
            "check_gradients takes (model, X, y), (forward, backward, inputs) with a tuple of inputs, or "
            f"(layer, x); got {', '.join(type(a).__name__ for a in (subject, *given))}"
        )


def of_pair(forward: Callable[..., Any], backward: Callable[..., Any], inputs: tuple[Any, ...]) -> Subject:
    """The subject of a forward and a backward function."""
    values = [np.array(x, np.float64) if is_float(x) else x for x in inputs]
    names = _argument_names(forward, len(values))
    named = dict(zip(names, values, strict=True))
    arrays = {name: x for name, x in named.items() if is_float(x)}

    def run() -> tuple[Any, Any]:
        returned = forward(*values)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise TypeError(
                f"the forward function must return (out, cache), got {type(returned).__name__}"
                f"{f' of {len(returned)}' if isinstance(returned, tuple) else ''}"
            )
        return returned

    def gradients(dout: Array, cache: Any) -> dict[str, Any]:
        returned = backward(dout, cache)
        found = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
        targets = list(named) if len(found) == len(named) else list(arrays)
        if len(found) != len(targets):
            raise Misfit(
                f"backward returned {len(found)} gradients for {len(arrays)} inputs of floats "
                f"({', '.join(arrays)}): return one for each, None for those that need none."
            )
        return {n: g for n, g in zip(targets, found, strict=True) if g is not None and n in arrays}

    def claimed(dout: Array) -> tuple[Any, dict[str, Any]]:
        out, cache = run()
        return out, gradients(dout, cache)

    def again(dout: Array) -> tuple[dict[str, Any], dict[str, Any]]:
        _, cache = run()
        first = {name: np.array(g) for name, g in gradients(dout.copy(), cache).items()}
        return first, gradients(dout.copy(), cache)

    data = next((x for x in values if isinstance(x, np.ndarray) and x.ndim), None)
    count = len(data) if data is not None else None
    same = [  # which inputs have an entry for each sample: the first, those of its shape, and labels
        isinstance(x, np.ndarray)
        and x.ndim > 0
        and (x is data or (len(x) == count and (x.shape == data.shape or x.dtype.kind in "iub")))  # type: ignore[union-attr]
        for x in values
    ]

    def part(index: Array) -> Subject | None:
        return of_pair(
            forward, backward, tuple(x[index] if s else x for x, s in zip(values, same, strict=True))
        )

    labels = next(
        (x for x in values if isinstance(x, np.ndarray) and x.dtype.kind in "iu" and x.ndim == 1), None
    )
    return Subject(
        "pair",
        arrays,
        lambda: run()[0],
        claimed,
        {name: x for name, x in named.items() if isinstance(x, np.ndarray) and name not in arrays},
        source=backward,
        owner=(forward, backward, [x for x in inputs if isinstance(x, float)]),
        all_needed=False,
        batch=count,
        labels=labels if labels is not None and len(labels) == count else None,
        part=part,
        again=again,
    )


def _of_layer(layer: Layer, x: Array, *, seed: int) -> Subject:
    x = np.array(x, np.float64)
    net = Network(layer, x.shape[1:], dtype=np.float64, seed=seed)
    net.params.flat += 0.3 * np.random.default_rng((seed, 1)).standard_normal(net.params.flat.shape)
    return layer_subject(net.layers, x, net.params.groups, net.state.groups, (seed,))


def layer_subject(
    layer: Layer, x: Array, params: Mapping[str, Any], state: Mapping[str, Any], seed: tuple[int, ...]
) -> Subject:
    """The subject of a layer in training mode on x, with the numbers found under its layers' names."""

    def run() -> Pass:
        return Pass(params, state, train=True, seed=seed)  # type: ignore[arg-type]

    def claimed(dout: Array) -> tuple[Any, dict[str, Any]]:
        there_and_back = run()
        out, cache = there_and_back.forward(layer, x)
        dx = there_and_back.backward(layer, dout, cache, needs_dx=True)
        return out, {".".join(key): g for key, g in there_and_back.gradients.items()} | {"x": dx}

    own = {leaf.name for leaf in _leaves(layer)}
    named = {f"{owner}.{n}": a for owner, group in params.items() if owner in own for n, a in group.items()}
    return Subject(
        "layer",
        {**named, "x": x},
        lambda: run().forward(layer, x)[0],
        claimed,
        {},
        source=type(layer).backward,
        owner=layer,
        batch=len(x) if x.ndim else None,
        part=lambda index: layer_subject(layer, x[index], params, state, seed),
        inside=(layer, x, params, state, seed),
    )


def _leaves(layer: Layer) -> Iterator[Layer]:
    if not layer.children():
        yield layer
    for child in layer.children():
        yield from _leaves(child)


def check_parameters(model: Any) -> None:
    """Raise TypeError unless a model's `params` is a dict of NumPy arrays."""
    if not isinstance(model.params, Mapping):
        raise TypeError(f"params must be a dict of names and arrays, got {type(model.params).__name__}")
    for name, array in model.params.items():
        if not isinstance(array, np.ndarray):
            kind = type(array).__name__
            raise TypeError(
                f"params[{name!r}] must be a NumPy array, whose elements can be moved, got {kind}"
            )


def of_model(model: Any, X: Any, y: Any) -> Subject:
    """The subject of anything with params and loss."""
    arrays, others = dict(model.params), {"X": X, "y": y}
    with_dx = getattr(model, "loss_and_gradients", None)
    if is_float(X):
        X = np.array(X, np.float64)
        if with_dx is not None:
            arrays["X"] = X
        others = {"y": y} if with_dx is not None else {"X": X, "y": y}

    def loss_and_gradients() -> tuple[Any, dict[str, Any]]:
        if "X" in arrays and with_dx is not None:
            loss, gradients, dx = with_dx(X, y, needs_dx=True)
            return loss, {**gradients, "X": dx}
        return returned()

    def returned() -> tuple[Any, dict[str, Any]]:
        both = model.loss(X, y)
        if not isinstance(both, tuple) or len(both) != 2 or not isinstance(both[1], Mapping):
            kinds = ", ".join(type(one).__name__ for one in both) if isinstance(both, tuple) else ""
            got = f"a tuple of {kinds}" if kinds else type(both).__name__
            raise Misfit(
                f"loss(X, y) must return the loss and a dict of gradients, in this order; it returned {got}."
            )
        if np.size(both[0]) != 1:
            raise Misfit(
                f"loss(X, y) must return one number as the loss, not an array of shape {np.shape(both[0])}."
            )
        return both[0], dict(both[1])

    samples = (
        isinstance(X, np.ndarray) and isinstance(y, np.ndarray) and X.ndim and y.ndim and len(X) == len(y)
    )

    def other_batch() -> Subject | None:
        if not samples or not is_float(X):
            return None
        stretched = X[::-1] * (1 + 0.1 * np.cos(np.arange(X.size))).reshape(X.shape)
        return (
            replace(of_model(model, stretched, y[::-1].copy()), arrays=arrays) if "X" not in arrays else None
        )

    return Subject(
        "model",
        arrays,
        lambda: returned()[0],
        lambda dout: loss_and_gradients(),
        {name: array for name, array in others.items() if isinstance(array, np.ndarray)},
        source=type(model).loss if inspect.isroutine(getattr(type(model), "loss", None)) else model.loss,
        owner=model,
        random_upstream=False,
        batch=len(X) if samples else None,
        labels=y if samples and y.dtype.kind in "iu" and y.ndim == 1 else None,
        part=lambda index: of_model(model, X[index], y[index]) if samples else None,
        other_batch=other_batch,
        silent=lambda: of_model(model, np.zeros_like(X), y) if is_float(X) else None,
        inside=_inside(model, X),
    )


def _inside(model: Any, X: Any) -> tuple[Any, ...] | None:
    if not isinstance(model, Network):
        return None
    seed = (model.seed, model.step)
    return model.layers, np.asarray(X, np.float64), model.params.groups, model.state.groups, seed


@contextlib.contextmanager
def _own_arrays_restored(model: Any) -> Iterator[None]:
    """Inside, the parameters are float64, by stand-ins if need be; afterwards all is as it was."""
    check_parameters(model)
    own = dict(model.params)
    gathered = getattr(model, "state", None)
    state = gathered.values() if isinstance(gathered, Mapping) else ()
    kept = [(a, a.copy()) for a in (*own.values(), *state) if isinstance(a, np.ndarray) and a.flags.writeable]
    try:
        for name, array in own.items():
            if array.dtype == np.float64 and array.flags.writeable:
                continue
            if np.issubdtype(array.dtype, np.number) and not np.iscomplexobj(array):
                model.params[name] = array.astype(np.float64)
            if model.params[name].dtype != np.float64 or not model.params[name].flags.writeable:
                kind = array.dtype if array.flags.writeable else "read-only"
                raise TypeError(
                    f"{name} is {kind} and stays so: differences need float64, build the model with it"
                )
        yield
    finally:
        for name, array in own.items():
            if model.params[name] is not array:
                model.params[name] = array
        for array, values in kept:
            array[...] = values


def is_float(x: Any) -> bool:
    """Whether x is a NumPy array of floats."""
    return isinstance(x, np.ndarray) and np.issubdtype(x.dtype, np.floating)


def _argument_names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the first `count` positional parameters, as far as the signature tells them."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # functions written in C have none
        parameters = []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in positional][:count]
    return names + [f"input{i + 1}" for i in range(len(names), count)]
