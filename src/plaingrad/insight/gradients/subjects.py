"""What can be checked: a model, an op pair or a layer, each brought into the one form the check works on."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plaingrad.network import Layer, Network, Pass

Array = np.ndarray


class Misfit(Exception):
    """What came back does not have the form of gradients; the message is a sentence for the report."""


@dataclass(frozen=True)
class Subject:
    """Arrays, an output that depends on them, and the gradients that somebody claims it has.

    arrays: what to differentiate by, float64; `output()` is the value at what they hold at the moment.
    claimed(dout): that output once more, and the gradients of Σ out · dout by name.  others: arrays
    that are handed over too, and must not be changed either.  random_upstream: whether `claimed` heeds
    dout, as all but a whole model does.  all_needed: whether each array must have a gradient.
    """

    arrays: dict[str, Array]
    output: Callable[[], Any]
    claimed: Callable[[Array], tuple[Any, Mapping[str, Any]]]
    others: dict[str, Array]
    random_upstream: bool = True
    all_needed: bool = True


@contextlib.contextmanager
def subject_of(subject: Any, given: tuple[Any, ...], seed: int) -> Iterator[Subject]:
    """The subject of `check_gradients(subject, *given)`.  Afterwards a model's own arrays are as before."""
    if isinstance(subject, Layer) and len(given) == 1:
        yield _of_layer(subject, *given, seed=seed)
    elif hasattr(subject, "params") and hasattr(subject, "loss") and len(given) == 2:
        astype = getattr(subject, "astype", None)
        model = astype(np.float64) if astype else subject
        with _own_arrays_restored(model):
            yield _of_model(model, *given)
    elif callable(subject) and len(given) == 2 and callable(given[0]) and isinstance(given[1], tuple):
        yield _of_pair(subject, *given)
    else:
        raise TypeError(
            "check_gradients takes (model, X, y), (forward, backward, inputs) with a tuple of inputs, or "
            f"(layer, x); got {', '.join(type(a).__name__ for a in (subject, *given))}"
        )


def _of_pair(forward: Callable[..., Any], backward: Callable[..., Any], inputs: tuple[Any, ...]) -> Subject:
    values = [np.array(x, np.float64) if _is_float(x) else x for x in inputs]
    named = dict(zip(_argument_names(forward, len(values)), values, strict=True))
    arrays = {name: x for name, x in named.items() if _is_float(x)}

    def claimed(dout: Array) -> tuple[Any, dict[str, Any]]:
        out, cache = forward(*values)
        returned = backward(dout, cache)
        gradients = returned if isinstance(returned, tuple) else (returned,)
        if len(gradients) != len(arrays):
            raise Misfit(
                f"backward returned {len(gradients)} gradients for {len(arrays)} inputs of floats "
                f"({', '.join(arrays)}): return one for each, None for those that need none."
            )
        return out, {name: g for name, g in zip(arrays, gradients, strict=True) if g is not None}

    others = {name: x for name, x in named.items() if isinstance(x, np.ndarray) and name not in arrays}
    return Subject(arrays, lambda: forward(*values)[0], claimed, others, all_needed=False)


def _of_layer(layer: Layer, x: Array, *, seed: int) -> Subject:
    x = np.array(x, np.float64)
    net = Network(layer, x.shape[1:], dtype=np.float64, seed=seed)
    net.params.flat += 0.3 * np.random.default_rng((seed, 1)).standard_normal(net.params.flat.shape)

    def run() -> Pass:
        return Pass(net.params.groups, net.state.groups, train=True, seed=(seed,))

    def claimed(dout: Array) -> tuple[Any, dict[str, Any]]:
        there_and_back = run()
        out, cache = there_and_back.forward(net.layers, x)
        dx = there_and_back.backward(net.layers, dout, cache, needs_dx=True)
        return out, {".".join(key): g for key, g in there_and_back.gradients.items()} | {"x": dx}

    return Subject({**net.params, "x": x}, lambda: run().forward(net.layers, x)[0], claimed, {})


def _of_model(model: Any, X: Any, y: Any) -> Subject:
    arrays, others = dict(model.params), {"y": y}
    with_dx = getattr(model, "loss_and_gradients", None)
    if _is_float(X):
        X = np.array(X, np.float64)
        (others if with_dx is None else arrays)["X"] = X

    def loss_and_gradients() -> tuple[Any, dict[str, Any]]:
        if "X" in arrays and with_dx is not None:
            loss, gradients, dx = with_dx(X, y, needs_dx=True)
            return loss, {**gradients, "X": dx}
        returned = model.loss(X, y)
        if not isinstance(returned, tuple) or len(returned) != 2 or not isinstance(returned[1], Mapping):
            raise Misfit("loss(X, y) must return the loss and a dict of gradients.")
        return returned[0], dict(returned[1])

    others = {name: array for name, array in others.items() if isinstance(array, np.ndarray)}
    return Subject(
        arrays,
        lambda: model.loss(X, y)[0],
        lambda dout: loss_and_gradients(),
        others,
        random_upstream=False,
    )


@contextlib.contextmanager
def _own_arrays_restored(model: Any) -> Iterator[None]:
    """Inside, the parameters are float64, by stand-ins if need be; afterwards all is as it was."""
    own = dict(model.params)
    gathered = getattr(model, "state", None)
    state = gathered.values() if isinstance(gathered, Mapping) else ()
    kept = [(a, a.copy()) for a in (*own.values(), *state) if isinstance(a, np.ndarray)]
    try:
        for name, array in own.items():
            if array.dtype != np.float64:
                model.params[name] = array.astype(np.float64)
            if model.params[name].dtype != np.float64:
                raise TypeError(
                    f"{name} is {array.dtype} and stays so: differences need float64, build the model with it"
                )
        yield
    finally:
        for name, array in own.items():
            if model.params[name] is not array:
                model.params[name] = array
        for array, values in kept:
            array[...] = values


def _is_float(x: Any) -> bool:
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
