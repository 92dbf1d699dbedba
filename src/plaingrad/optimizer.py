"""Applying an update rule to all parameters, and clipping their gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import numpy as np

from plaingrad.errors import ShapeError
from plaingrad.network import FlatDict
from plaingrad.ops import is_plain
from plaingrad.optim import AdamW, Rule

Array = Any

# Elements updated at once: a rule's arrays and temporaries of this size stay in the cache of a core.
_BLOCK = 65536


class Optimizer:
    """A rule, its state, and the count of updates, for a dict of parameters.

    Parameters that share a flat buffer (FlatDict) are updated there, in place and in blocks that fit
    the cache; in any other dict each array is replaced by a new one.
    """

    def __init__(self, rule: Rule, params: Mapping[str, Array]) -> None:
        self.rule = rule
        self.t = 0
        whole = {"": params.flat} if isinstance(params, FlatDict) else params
        self.state = {name: rule.init(w) for name, w in whole.items()}

    def step(self, params: MutableMapping[str, Array], grads: Mapping[str, Array], lr: float) -> None:
        """Update `params` once."""
        self.t += 1
        if not isinstance(params, FlatDict):
            require_gradients(params, grads)
            for name, w in params.items():
                rule = self.rule if w.ndim > 1 else _without_decay(self.rule)
                params[name], state = rule.update(w, grads[name], self.state[name], lr=lr, t=self.t)
                self.state[name] = dict(state)
            return
        flat_grads = grads.flat if isinstance(grads, FlatDict) else _flatten(params, grads)
        state = self.state[""]
        for block, decays in _blocks(params):
            rule = self.rule if decays else _without_decay(self.rule)
            own = {slot: array[block] for slot, array in state.items()}
            step = Rule.update_in_place if is_plain() else type(rule).update_in_place
            step(rule, params.flat[block], flat_grads[block], own, lr=lr, t=self.t)

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


def _without_decay(rule: Rule) -> Rule:
    return replace(rule, weight_decay=0.0) if isinstance(rule, AdamW) and rule.weight_decay else rule


def _flatten(params: FlatDict, grads: Mapping[str, Array]) -> Array:
    laid_out = params.like()
    laid_out.assign(grads)
    return laid_out.flat


def _blocks(params: FlatDict) -> Iterator[tuple[slice, bool]]:
    """Slices of the flat buffer, first of the weights that decay, then of the rest."""
    for start, stop, decays in ((0, params.size_first, True), (params.size_first, params.flat.size, False)):
        for at in range(start, stop, _BLOCK):
            yield slice(at, min(at + _BLOCK, stop)), decays


def global_norm(grads: Mapping[str, Array]) -> float:
    """The Euclidean norm of all gradients as one vector."""
    arrays = [grads.flat] if isinstance(grads, FlatDict) else grads.values()
    with np.errstate(over="ignore"):
        squares = sum(float(np.vdot(g, g)) for g in arrays)
    if not math.isfinite(squares):  # float32 squares overflow from 1e19 on
        squares = sum(float(np.vdot(g, g)) for g in (np.asarray(g, np.float64) for g in arrays))
    return math.sqrt(squares)


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
