"""Applying an update rule to all parameters, each with its learning rate, and clipping their gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from plaingrad.errors import RecipeError, ShapeError, require_number, suggestion
from plaingrad.kernels import available
from plaingrad.network import FlatDict
from plaingrad.ops import is_plain
from plaingrad.optim import RULES, Rule

if available:
    from plaingrad.kernels import numba_update
else:
    numba_update: Any = None

Array = Any

_COMPILED = {RULES[name]: update for name, update in numba_update.UPDATES.items()} if available else {}

# Elements that a formula is given at once: what it makes on the way then stays in the cache of a core.
_BLOCK = 1 << 17


class _Segment(NamedTuple):
    """A stretch of the flat buffer whose parameters are all updated alike."""

    start: int
    stop: int
    decays: bool
    factor: float


class Optimizer:
    """A rule, its state, and the count of updates, for a dict of parameters.

    Parameters that share a flat buffer (FlatDict) are updated there, in place: by the rule's compiled version
    where there is one, else by its formula.  In any other dict each array is replaced by a new one.

    lr_factors: by name, what the learning rate of some parameters is multiplied by, and with it their
        weight decay; see `factors_by_name`.  Parameters with a factor of 0 are frozen: they and their
        state stay as they are.
    """

    def __init__(
        self, rule: Rule, params: Mapping[str, Array], lr_factors: Mapping[str, float] | None = None
    ) -> None:
        self.rule = rule
        self.t = 0
        self.factors = factors_by_name(params, lr_factors or {})
        whole = {"": params.flat} if isinstance(params, FlatDict) else params
        self.state = {name: rule.init(w) for name, w in whole.items()}
        self._segments = list(_segments(params, self.factors)) if isinstance(params, FlatDict) else []
        self._rules = {True: rule, False: replace(rule, weight_decay=0.0)}

    def step(self, params: MutableMapping[str, Array], grads: Mapping[str, Array], lr: float) -> None:
        """Update `params` once."""
        self.t += 1
        lr = float(lr)  # a number of NumPy's would make the formulas compute in its precision
        if not isinstance(params, FlatDict):
            require_gradients(params, grads)
            for name, factor in self.factors.items():
                if factor:
                    w, own = params[name], self.state[name]
                    rule = self._rules[w.ndim > 1]
                    params[name], state = rule.update(w, grads[name], own, lr=lr * factor, t=self.t)
                    self.state[name] = dict(state)
            return
        flat_grads = grads.flat if isinstance(grads, FlatDict) else _flatten(params, grads)
        for start, stop, decays, factor in self._segments:
            rule = self._rules[decays]
            _update(rule, params.flat, flat_grads, self.state[""], start, stop, lr=lr * factor, t=self.t)

    def state_dict(self) -> dict[str, Array]:
        """The state as named arrays, for a checkpoint; `t` goes beside it."""
        return {f"{name}/{slot}": array for name, own in self.state.items() for slot, array in own.items()}

    def load_state_dict(self, arrays: Mapping[str, Array], t: int) -> None:
        """Continue from what `state_dict` gave at count `t`."""
        for key, array in arrays.items():
            name, _, slot = key.rpartition("/")
            self.state[name][slot] = array.copy()
        self.t = t


def require_gradients(params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
    """Raise ShapeError unless there is a gradient of the right shape for each parameter.

    A model of the user's own may forget one, or give it another shape, which NumPy would broadcast.
    """
    if not isinstance(grads, Mapping):
        raise ShapeError(f"gradients must be a dict keyed like params, got {type(grads).__name__}")
    for name, w in params.items():
        if name not in grads:
            raise ShapeError(
                f"the model's loss gives no gradient of {name}; it gives {', '.join(grads) or 'none'}"
            )
        if np.shape(grads[name]) != np.shape(w):
            raise ShapeError(
                f"the gradient of {name} has shape {np.shape(grads[name])}, but {name} has {np.shape(w)}"
            )


def factors_by_name(params: Mapping[str, Array], lr_factors: Mapping[str, float]) -> dict[str, float]:
    """The factor on the learning rate of each parameter: 1, unless `lr_factors` says otherwise.

    A key of `lr_factors` is the name of a parameter ("affine1.bias") or of its layer ("affine1"), or a
    pattern as for file names ("conv*", "*.bias"); of several that fit, the last decides.  Raises
    RecipeError for one that fits nothing, and for a factor that is no finite number, 0 or more.
    """
    factors = dict.fromkeys(params, 1.0)
    for pattern, factor in lr_factors.items():
        require_number(f"lr_factors: {pattern}", factor, lambda f: 0 <= f < math.inf, "0 or more")
        chosen = [name for name in params if any(fnmatchcase(n, str(pattern)) for n in _names(name))]
        if not chosen:
            known = {n for name in params for n in _names(name)}
            raise RecipeError(
                f"lr_factors: no parameter and no layer that has any is called {pattern!r}; "
                f"{suggestion(str(pattern), known)}"
            )
        factors |= dict.fromkeys(chosen, float(factor))
    return factors


def _names(name: str) -> tuple[str, ...]:
    """What a parameter may be called: its own name, and its layer's if it has one."""
    layer, dot, _ = name.rpartition(".")
    return (name, layer) if dot else (name,)


def _update(
    rule: Rule, w: Array, dw: Array, state: dict[str, Array], start: int, stop: int, *, lr: float, t: int
) -> None:
    """Update what lies from `start` to `stop` in flat arrays, in place."""
    arrays = (w, dw, *(state[slot] for slot in rule.slots))
    compiled = _COMPILED.get(type(rule))
    if compiled and not is_plain() and numba_update.accepts(*arrays):
        kernel, constants = compiled
        left = 1 - lr * rule.weight_decay if rule.weight_decay else 1.0
        numba_update.run(kernel, start, stop, arrays, left, *constants(rule, lr, t))
        return
    for block in _blocks(start, stop):
        own = {slot: array[block] for slot, array in state.items()}
        w[block], next_state = rule.update(w[block], dw[block], own, lr=lr, t=t)
        for slot, array in next_state.items():
            own[slot][...] = array


def _flatten(params: FlatDict, grads: Mapping[str, Array]) -> Array:
    laid_out = params.like()
    laid_out.assign(grads)
    return laid_out.flat


def _segments(params: FlatDict, factors: Mapping[str, float]) -> Iterator[_Segment]:
    """What is to be updated: the weights, which decay, and then the rest, cut where the factor changes."""
    distinct = sorted(set(factors.values()))
    which = params.like(np.uint16)
    for name, factor in factors.items():
        which[name][...] = distinct.index(factor)
    changes = np.flatnonzero(which.flat[1:] != which.flat[:-1]) + 1
    edges = sorted({0, params.size_first, params.flat.size, *changes.tolist()})
    for start, stop in itertools.pairwise(edges):
        if factor := distinct[which.flat[start]]:
            yield _Segment(start, stop, start < params.size_first, factor)


def blend(a: Array, kept: float, b: Array, share: float) -> None:
    """a ← kept · a + share · b, in place, for flat arrays."""
    if available and not is_plain() and numba_update.accepts(a, b):
        numba_update.run(numba_update.blend, 0, a.size, (a, b), kept, share)
        return
    for block in _blocks(0, a.size):
        own = a[block]
        own *= kept
        own += share * b[block]


def _blocks(start: int, stop: int) -> Iterator[slice]:
    """The stretch from `start` to `stop`, in slices that fit a core's cache."""
    for at in range(start, stop, _BLOCK):
        yield slice(at, min(at + _BLOCK, stop))


def global_norm(grads: Mapping[str, Array]) -> float:
    """The Euclidean norm of all gradients as one vector."""
    arrays = [grads.flat] if isinstance(grads, FlatDict) else grads.values()
    with np.errstate(over="ignore"):
        squares = sum(_squares(g) for g in arrays)
    if not math.isfinite(squares):  # float32 squares overflow from 1e19 on
        squares = sum(_squares(np.asarray(g, np.float64)) for g in arrays)
    return math.sqrt(squares)


def _squares(g: Array) -> float:
    """Σ g².  A product of the BLAS library would be cut up for its threads, and round by their number."""
    flat = np.asarray(g).reshape(-1)
    return sum(float(np.einsum("i,i", own, own)) for own in map(flat.__getitem__, _blocks(0, flat.size)))


def clip_by_global_norm(grads: Mapping[str, Array], max_norm: float) -> Mapping[str, Array]:
    """The gradients, scaled down together if their global norm is above `max_norm`.

    Source: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, algorithm 1.
    """
    norm = global_norm(grads)
    if not norm > max_norm:
        return grads
    scale = max_norm / norm
    if isinstance(grads, FlatDict):
        clipped = grads.like()
        np.multiply(grads.flat, scale, out=clipped.flat)
        return clipped
    return {name: g * scale for name, g in grads.items()}
