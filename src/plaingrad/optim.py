"""Update rules, each a whole formula.

A rule is a value: `update(w, dw, state, lr=, t=)` returns the next w and the next state and changes
nothing.  All rules work element by element, so they run on one flat buffer as on any array.  The same numbers in
one pass over memory, compiled, are in `kernels/numba_update.py`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from plaingrad.errors import check_ranges

Array = Any
State = Mapping[str, Array]


@dataclass(frozen=True)
class Rule(ABC):
    """Base of the update rules.

    lr: the learning rate, before any schedule.
    weight_decay: λ.  Beside its own step a rule does w ← w − lr · λ · w: the decay is decoupled from the
        gradient, so that momentum does not gather it and Adam does not divide it by √v̂.  The Optimizer
        applies it to weights alone, not to biases or normalisation parameters.  For SGD, unless gradients
        are clipped, it is the same as a `reg` of λ in the network's loss; for the other rules it is not.
        Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithms 1 and 2.

    `slots` names the arrays of the state, each of w's shape and zero at first.
    """

    lr: float = 1e-2
    weight_decay: float = field(default=0.0, kw_only=True)

    slots: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_ranges(self, above_zero=("lr", "eps"), below_one=("momentum", "decay", "beta1", "beta2"))
        check_ranges(self, not_negative=("weight_decay",))

    @abstractmethod
    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """The next w, which starts from `decayed(w, lr)`, and the next state; t counts updates from 1."""

    def init(self, w: Array) -> dict[str, Array]:
        """The state before the first update."""
        return {slot: np.zeros_like(w) for slot in self.slots}

    def decayed(self, w: Array, lr: float) -> Array:
        """w − lr · λ · w."""
        return w * (1 - lr * self.weight_decay) if self.weight_decay else w


@dataclass(frozen=True)
class SGD(Rule):
    """w ← w − lr · dw.  Source: Robbins & Monro 1951."""

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """One step down the gradient."""
        return self.decayed(w, lr) - lr * dw, {}


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
        return self.decayed(w, lr) + v, {"velocity": v}


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
        return self.decayed(w, lr) - self.momentum * before + (1 + self.momentum) * v, {"velocity": v}


@dataclass(frozen=True)
class AdaGrad(Rule):
    """c ← c + dw²,  w ← w − lr · dw / (√c + ε).  Source: Duchi, Hazan & Singer 2011, JMLR 12."""

    eps: float = 1e-8

    slots = ("cache",)

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """A step that shrinks where gradients have been large."""
        c = state["cache"] + dw * dw
        return self.decayed(w, lr) - lr * dw / (np.sqrt(c) + self.eps), {"cache": c}


@dataclass(frozen=True)
class RMSProp(Rule):
    """c ← ρ c + (1 − ρ) dw²,  w ← w − lr · dw / (√c + ε).  Source: Tieleman & Hinton 2012, lecture 6.5."""

    decay: float = 0.99
    eps: float = 1e-8

    slots = ("cache",)

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """AdaGrad that forgets."""
        c = self.decay * state["cache"] + (1 - self.decay) * (dw * dw)
        return self.decayed(w, lr) - lr * dw / (np.sqrt(c) + self.eps), {"cache": c}


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

    def corrected(self, lr: float, t: int) -> tuple[float, float]:
        """`step` and `eps` of  lr · m̂ / (√v̂ + ε) = step · m / (√v + eps).

        The two corrections as numbers, so that no array is divided by a constant.
        """
        root = math.sqrt(1 - self.beta2**t)
        return lr * root / (1 - self.beta1**t), self.eps * root

    def update(self, w: Array, dw: Array, state: State, *, lr: float, t: int) -> tuple[Array, State]:
        """A step of about lr in every direction that the gradients agree on."""
        m = self.beta1 * state["m"] + (1 - self.beta1) * dw
        v = self.beta2 * state["v"] + (1 - self.beta2) * (dw * dw)
        step, eps = self.corrected(lr, t)
        return self.decayed(w, lr) - step * m / (np.sqrt(v) + eps), {"m": m, "v": v}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay unless told otherwise.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
    """

    weight_decay: float = field(default=1e-2, kw_only=True)


RULES: dict[str, type[Rule]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}
