"""Update rules, each a whole formula; the optimizer that applies them; clipping.

A rule is a value: `update(w, dw, state, lr=, t=)` returns the next w and the next state and changes
nothing.  All rules work element by element, so they run on one flat buffer as on any array.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from plaingrad.errors import ShapeError, check_ranges
from plaingrad.network import FlatDict
from plaingrad.ops import is_plain

Array = Any
State = Mapping[str, Array]


@dataclass(frozen=True)
class Rule(ABC):
    """Base of the update rules.  `lr` is the learning rate before any schedule.

    `slots` names the arrays of the state, each of w's shape and zero at first.
    """

    lr: float = 1e-2

    slots: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_ranges(self, above_zero=("lr", "eps"), below_one=("momentum", "decay", "beta1", "beta2"))
        check_ranges(self, not_negative=("weight_decay",))

    @abstractmethod
    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """The next w and the next state; t counts updates from 1."""

    def update_in_place(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> None:
        """The same numbers, to the bit, into the memory of w and of the state's arrays.

        Some rules do it in fewer passes over memory than their formula; it is what an Optimizer calls.
        """
        next_w, next_state = self.update(w, dw, state, lr=lr, t=t)
        w[...] = next_w
        for slot, array in next_state.items():
            state[slot][...] = array

    def init(self, w: Array) -> dict[str, Array]:
        """The state before the first update."""
        return {slot: np.zeros_like(w) for slot in self.slots}


@dataclass(frozen=True)
class SGD(Rule):
    """w ← w − lr · dw.  Source: Robbins & Monro 1951."""

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """One step down the gradient."""
        return w - lr * dw, {}

    def update_in_place(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> None:
        """Two passes instead of three."""
        w -= lr * dw


@dataclass(frozen=True)
class Momentum(Rule):
    """v ← μ v − lr · dw,  w ← w + v.

    PyTorch keeps lr out of v (v ← μ v + dw, w ← w − lr · v); the two differ only while lr changes.
    Source: Sutskever, Martens, Dahl & Hinton 2013, eq. 1 and 2.
    """

    momentum: float = 0.9

    slots = ("velocity",)

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """A step that remembers the steps before it."""
        v = self.momentum * state["velocity"] - lr * dw
        return w + v, {"velocity": v}

    def update_in_place(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> None:
        """Four passes instead of six."""
        v = state["velocity"]
        v *= self.momentum
        v -= lr * dw
        w += v


@dataclass(frozen=True)
class Nesterov(Rule):
    """v' ← μ v − lr · dw,  w ← w − μ v + (1 + μ) v'.

    Here w is the point looked ahead to, at which the gradient was taken.
    Source: Bengio, Boulanger-Lewandowski & Pascanu 2013, arXiv:1212.0901, eq. 7.
    """

    momentum: float = 0.9

    slots = ("velocity",)

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """Undo the old look-ahead, step, look ahead again."""
        before = state["velocity"]
        v = self.momentum * before - lr * dw
        return w - self.momentum * before + (1 + self.momentum) * v, {"velocity": v}


@dataclass(frozen=True)
class AdaGrad(Rule):
    """c ← c + dw²,  w ← w − lr · dw / (√c + ε).  Source: Duchi, Hazan & Singer 2011, JMLR 12."""

    eps: float = 1e-8

    slots = ("cache",)

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """A step that shrinks where gradients have been large."""
        c = state["cache"] + dw * dw
        return w - lr * dw / (np.sqrt(c) + self.eps), {"cache": c}


@dataclass(frozen=True)
class RMSProp(Rule):
    """c ← ρ c + (1 − ρ) dw²,  w ← w − lr · dw / (√c + ε).  Source: Tieleman & Hinton 2012, lecture 6.5."""

    decay: float = 0.99
    eps: float = 1e-8

    slots = ("cache",)

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """AdaGrad that forgets."""
        c = self.decay * state["cache"] + (1 - self.decay) * (dw * dw)
        return w - lr * dw / (np.sqrt(c) + self.eps), {"cache": c}


@dataclass(frozen=True)
class Adam(Rule):
    """m ← β₁ m + (1 − β₁) dw,  v ← β₂ v + (1 − β₂) dw²,  w ← w − lr · m̂ / (√v̂ + ε).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) undo the bias of having started at 0.
    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.
    """

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    slots = ("m", "v")

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """A step of about lr in every direction that the gradients agree on."""
        m = self.beta1 * state["m"] + (1 - self.beta1) * dw
        v = self.beta2 * state["v"] + (1 - self.beta2) * (dw * dw)
        # The two corrections as numbers, so that no array is divided by a constant:
        # lr · m̂ / (√v̂ + ε) = step · m / (√v + ε √(1 − β₂ᵗ)).
        root = math.sqrt(1 - self.beta2**t)
        step = lr * root / (1 - self.beta1**t)
        return w - step * m / (np.sqrt(v) + self.eps * root), {"m": m, "v": v}

    def update_in_place(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> None:
        """Twelve passes instead of fifteen, with two temporary arrays instead of twelve."""
        m, v = state["m"], state["v"]
        scratch = (1 - self.beta1) * dw
        m *= self.beta1
        m += scratch
        np.multiply(dw, dw, out=scratch)
        scratch *= 1 - self.beta2
        v *= self.beta2
        v += scratch
        root = math.sqrt(1 - self.beta2**t)
        np.sqrt(v, out=scratch)
        scratch += self.eps * root
        move = lr * root / (1 - self.beta1**t) * m
        move /= scratch
        w -= move


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam, and beside it w ← w − lr · λ · w with λ = `weight_decay`: the decay is not divided by √v̂.

    The Optimizer applies λ to weights alone, not to biases or normalisation parameters.
    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
    """

    weight_decay: float = 1e-2

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """Adam's step on a weight that has been shrunk a little."""
        return super().update(w * (1 - lr * self.weight_decay), dw, state, lr=lr, t=t)

    def update_in_place(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> None:
        """One pass more than Adam."""
        w *= 1 - lr * self.weight_decay
        super().update_in_place(w, dw, state, lr=lr, t=t)


RULES: dict[str, type[Rule]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}

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
