"""Update rules on flat float32 buffers, each in one pass over the weights, their gradient and the state.

The numbers are those of the formulas in `optim.py`, to the bit: operations are done in float32, in the order in
which the formula has them, on constants rounded to float32 as NumPy rounds Python's floats.

Every function changes what lies from `start` to `stop` of the arrays it is given whole: w, dw and the state's
slots.  `constants`, float32: the share of w that weight decay leaves, and what the rule's `constants` gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.threads import shared_out

Array = Any

# Elements: below, waking a thread costs more than it saves.
_LARGE = 1 << 20

# Each begins with slices: their indices cannot be negative, which lets the compiler use vectors.


@compiled(exact=True)
def _sgd(start: int, stop: int, w: Array, dw: Array, constants: Array) -> None:
    w, dw = w[start:stop], dw[start:stop]
    left, lr = constants[0], constants[1]
    for i in range(w.size):
        w[i] = w[i] * left - lr * dw[i]


@compiled(exact=True)
def _momentum(start: int, stop: int, w: Array, dw: Array, velocity: Array, constants: Array) -> None:
    w, dw, velocity = w[start:stop], dw[start:stop], velocity[start:stop]
    left, momentum, lr = constants[0], constants[1], constants[2]
    for i in range(w.size):
        v = momentum * velocity[i] - lr * dw[i]
        velocity[i] = v
        w[i] = w[i] * left + v


@compiled(exact=True)
def _nesterov(start: int, stop: int, w: Array, dw: Array, velocity: Array, constants: Array) -> None:
    w, dw, velocity = w[start:stop], dw[start:stop], velocity[start:stop]
    left, momentum, ahead, lr = constants[0], constants[1], constants[2], constants[3]
    for i in range(w.size):
        before = momentum * velocity[i]
        v = before - lr * dw[i]
        velocity[i] = v
        w[i] = w[i] * left - before + ahead * v


@compiled(exact=True)
def _adagrad(start: int, stop: int, w: Array, dw: Array, cache: Array, constants: Array) -> None:
    w, dw, cache = w[start:stop], dw[start:stop], cache[start:stop]
    left, lr, eps = constants[0], constants[1], constants[2]
    for i in range(w.size):
        c = cache[i] + dw[i] * dw[i]
        cache[i] = c
        w[i] = w[i] * left - lr * dw[i] / (np.sqrt(c) + eps)


@compiled(exact=True)
def _rmsprop(start: int, stop: int, w: Array, dw: Array, cache: Array, constants: Array) -> None:
    w, dw, cache = w[start:stop], dw[start:stop], cache[start:stop]
    left, decay, rest, lr, eps = constants[0], constants[1], constants[2], constants[3], constants[4]
    for i in range(w.size):
        c = decay * cache[i] + rest * (dw[i] * dw[i])
        cache[i] = c
        w[i] = w[i] * left - lr * dw[i] / (np.sqrt(c) + eps)


@compiled(exact=True)
def _adam(start: int, stop: int, w: Array, dw: Array, m: Array, v: Array, constants: Array) -> None:
    w, dw, m, v = w[start:stop], dw[start:stop], m[start:stop], v[start:stop]
    left, step, eps = constants[0], constants[5], constants[6]
    beta1, rest1, beta2, rest2 = constants[1], constants[2], constants[3], constants[4]
    for i in range(w.size):
        mean = beta1 * m[i] + rest1 * dw[i]
        square = beta2 * v[i] + rest2 * (dw[i] * dw[i])
        m[i] = mean
        v[i] = square
        w[i] = w[i] * left - step * mean / (np.sqrt(square) + eps)


def _of_adam(rule: Any, lr: float, t: int) -> tuple[float, ...]:
    return rule.beta1, 1 - rule.beta1, rule.beta2, 1 - rule.beta2, *rule.corrected(lr, t)


@compiled(exact=True)
def blend(start: int, stop: int, a: Array, b: Array, constants: Array) -> None:
    """a ← kept · a + share · b, with constants kept and share."""
    a, b = a[start:stop], b[start:stop]
    kept, share = constants[0], constants[1]
    for i in range(a.size):
        a[i] = a[i] * kept + share * b[i]


# By the rules' names in `optim.RULES`: the function, and its constants but for the first.
UPDATES: dict[str, tuple[Callable[..., None], Callable[[Any, float, int], tuple[float, ...]]]] = {
    "sgd": (_sgd, lambda rule, lr, t: (lr,)),
    "momentum": (_momentum, lambda rule, lr, t: (rule.momentum, lr)),
    "nesterov": (_nesterov, lambda rule, lr, t: (rule.momentum, 1 + rule.momentum, lr)),
    "adagrad": (_adagrad, lambda rule, lr, t: (lr, rule.eps)),
    "rmsprop": (_rmsprop, lambda rule, lr, t: (rule.decay, 1 - rule.decay, lr, rule.eps)),
    "adam": (_adam, _of_adam),
    "adamw": (_adam, _of_adam),
}


def accepts(*arrays: Array) -> bool:
    """Whether these are what the functions above take: arrays of float32, all of one length."""
    one = arrays[0].shape
    return all(type(a) is np.ndarray and a.dtype == np.float32 and a.shape == one for a in arrays)


def run(
    kernel: Callable[..., None], start: int, stop: int, arrays: tuple[Array, ...], *constants: float
) -> None:
    """Call one of the functions above, on threads if there is much to do."""
    rounded = np.array(constants, np.float32)
    if stop - start < _LARGE:
        kernel(start, stop, *arrays, rounded)
    else:
        shared_out(lambda a, b: kernel(start + a, start + b, *arrays, rounded), stop - start)
